"""What the pages for production tell people to run is run, with stubs in an environment that has nothing else.

Each call is checked: the AWS CLI's against botocore's models, dbt's against its command line, those of programs, make
targets and units against the project. Policies are read, SQL runs on the stand-in, quoted messages exist.
"""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import botocore.session
import click
import jmespath  # type: ignore[import-untyped]
import pytest
import redshift_connector
import sqlparse
import yaml
from botocore import xform_name
from botocore.model import ServiceModel, Shape
from botocore.utils import ArgumentGenerator
from botocore.validate import ParamValidator
from dbt.cli.main import cli

from python_tests.production.test_infrastructure import TEMPLATE
from tools.redshift_standin.edits import edit
from tools.redshift_standin.lint import lint
from tools.redshift_standin.standin import Standin

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "infrastructure/runner"
PRODUCTION, REFERENCE, PIPELINE = "docs/production.md", "docs/redshift.md", "docs/pipeline-aws.md"
INFRASTRUCTURE = "infrastructure/README.md"
PAGES = (PRODUCTION, REFERENCE, PIPELINE, INFRASTRUCTURE)
PROGRAMS = ("aws", "dbt", "git", "journalctl", "make", "python", "sleep", "sudo", "systemctl")
OTHER_PROGRAMS = ("docker", "kafka-topics.sh", "openssl")  # whose options are not checked
COREUTILS = ("base64", "cat", "mkdir", "sed", "tee", "tr")
# Blocks of the runner get nothing from the administrator's session.
ON_RUNNER = re.compile(r"^(sudo|systemctl|journalctl|dbt|python|make)\b", re.MULTILINE)
# What readers put in place of <...>.
VALUES = {
    "ARN of the certificate": "arn:aws:acm:us-east-1:1:certificate/1",
    "address": "data@example.com",
    "another": "subnet-2",
    "branch": "change",
    "bucket": "flyer-production-1",
    "group": "sg-1",
    "https URL of the repository": "https://git.example.com/flyer.git",
    "its password": "Secret00",
    "output Runner": "i-1",
    "id": "1",
    "name": "flyer",
    "private subnet": "subnet-1",
    "role of MWAA": "mwaa",
    "role of the tool": "bi",
    "user": "1511153f0107",
    "security group of the brokers": "sg-2",
    "the compiled file that the log names": "test.sql",
}
# What the AWS CLI answers to calls that contain these words; to others, the name of the operation.
ANSWERS = {
    "Subnets[:3]": "subnet-1\\tsubnet-2\\tsubnet-3",
    ".State": "ACTIVE",
    "ClusterArn": "arn:aws:kafka:us-east-1:1:cluster/flyer/1",
    "OutputKey=='RunnerRole'": "arn:aws:iam::1:role/flyer-production-runner",
    "workgroupArn": "arn:aws:redshift-serverless:us-east-1:1:workgroup/1",
}
STUB = """\
#!/bin/bash
{{ printf '%s\\0' "{name}" "$@"; printf '\\1\\0'; }} >>{calls}
{answer}
"""
ANSWER = {
    "aws": 'case "$*" in\n{cases}\n*) echo "$2" ;;\nesac',
    "git": '[ "$1" != clone ] || mkdir -p "${@: -1}"',
    "sudo": '[ "$1" != -u ] || shift 2\n[ "$*" = bash ] || [ "$1" = infrastructure/runner/flyer-run ] || exec "$@"',
    "openssl": "echo 00",
}


@dataclass(frozen=True)
class Block:
    """Code of a page between fences, which begins at ``line``."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def filled(text: str) -> str:
    """Put values into the text for what stands in ``<...>``."""
    return re.sub(r"(?<!<)<([A-Za-z][^<>\n]*)>", lambda found: VALUES[found[1]], text)


def blocks(page: str, *languages: str) -> list[Block]:
    text = text_of(page)
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    every = (Block(page, text.count("\n", 0, it.start()) + 1, it[1], it[2]) for it in found)
    return [block for block in every if block.language in languages]


def inline(page: str, words: str) -> Iterator[str]:
    """What stands in the text and in tables as code, and begins with one of the ``words``."""
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    for found in re.finditer(rf"`((?:{words}) [^`]+)`", text):
        yield " ".join(found[1].split())


@dataclass
class Machine:
    """A folder in which pages are run. ``calls`` has each call of a stub, as its arguments."""

    folder: Path
    calls: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in (*PROGRAMS, *OTHER_PROGRAMS):
            cases = "\n".join(f"*{shlex.quote(words)}*) printf '{it}\\n' ;;" for words, it in ANSWERS.items())
            answer = ANSWER.get(name, "").replace("{cases}", cases)
            self.write(f"bin/{name}", STUB.format(name=name, calls=self.folder / "calls", answer=answer), 0o755)
        for name in COREUTILS:
            (self.folder / "bin" / name).symlink_to(shutil.which(name) or name)
        project = self.folder / "opt/flyer-analytics"
        self.write("opt/flyer-analytics/.venv/bin/activate", "")
        for path in ROOT.iterdir():
            if path.name not in (".venv", ".git"):
                (project / path.name).symlink_to(path)
        template = (RUNNER / "flyer-analytics.env").read_text(encoding="utf-8")
        self.write("etc/flyer-analytics.env", re.sub(r"[$][{](\w+)[}]", "value", template))

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def run(self, wanted: Sequence[Block], start: str) -> None:
        """Run blocks in one session that begins in the folder ``start``, which stops at the first failure."""
        here = self.folder / start
        here.mkdir(parents=True, exist_ok=True)
        script = ["set -euo pipefail", "trap 'echo \"$block failed\" >&2' EXIT"]
        for block in wanted:
            script += [
                f"block={block}",
                re.sub(r"(?<![\w.])/(opt|etc|tmp)/", rf"{self.folder}/\1/", filled(block.text)),
            ]
        done = subprocess.run(
            ["/bin/bash", "-c", "\n".join([*script, "trap - EXIT"])],
            env={"PATH": f"{self.folder}/bin"},
            cwd=here,
            input="secret\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        recorded = (self.folder / "calls").read_text(encoding="utf-8").split("\1\0")
        self.calls = [call.split("\0")[:-1] for call in recorded if call]


@pytest.mark.parametrize("page", PAGES)
def test_shell_blocks_run_and_call_what_exists(page: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    pages = [PRODUCTION] if page == PRODUCTION else [page] if page == INFRASTRUCTURE else [PRODUCTION, page]
    wanted = [block for it in pages for block in blocks(it, "bash")]
    on_runner = [block for block in wanted if ON_RUNNER.search(block.text)]
    for path in ROOT.iterdir():
        (tmp_path / "checkout").mkdir(exist_ok=True)
        (tmp_path / "checkout" / path.name).symlink_to(path)
    machine.run([block for block in wanted if block not in on_runner], "checkout")
    machine.run(on_runner, "home")
    assert machine.calls
    for call in machine.calls:
        check_call(call, tmp_path / "checkout")


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_exist(page: str) -> None:
    for command in inline(page, "aws|dbt|make|python -m|sudo|systemctl|journalctl"):
        check_call(shlex.split(filled(command)), ROOT)


def check_call(call: Sequence[str], folder: Path) -> None:
    """Fail if a command or an option does not exist. Files that the call names are in ``folder``."""
    check = {
        "aws": check_aws,
        "dbt": check_dbt,
        "infrastructure/runner/flyer-run": check_call,
        "journalctl": check_unit,
        "make": check_make,
        "python": check_python,
        "sudo": check_sudo,
        "systemctl": check_unit,
    }.get(call[0])
    if check:
        try:
            check(list(call[1:]), folder)
        except Exception as error:
            raise AssertionError(f"{shlex.join(call)}: {error}") from error


def check_sudo(arguments: list[str], folder: Path) -> None:
    command = arguments[2:] if arguments[0] == "-u" else arguments
    check_call(command, folder)


def check_make(arguments: list[str], folder: Path) -> None:  # noqa: ARG001
    assert re.search(rf"^{re.escape(arguments[0])}:", text_of("Makefile"), re.MULTILINE), "no such target"


def check_unit(arguments: list[str], folder: Path) -> None:  # noqa: ARG001
    named = [argument for argument in arguments if argument.startswith("flyer-")]
    assert named, "names no unit"
    for unit in named:
        exists = any((RUNNER / f"{unit}{suffix}").exists() for suffix in ("", ".service"))
        assert exists, f"no unit {unit}"


def check_python(arguments: list[str], folder: Path) -> None:
    assert arguments[0] == "-m"
    module, options = arguments[1], arguments[2:]
    if "--" in options:
        command = options[options.index("--") + 1 :]
        options = options[: options.index("--")]
        check_call(command, folder)
    found = find_spec(module)
    assert found and found.origin, f"no module {module}"
    file = Path(found.origin)
    source = (file.with_name("__main__.py") if file.name == "__init__.py" else file).read_text(encoding="utf-8")
    for option in options:
        assert not option.startswith("--") or f'"{option.partition("=")[0]}"' in source, f"no option {option}"


def check_dbt(arguments: list[str], folder: Path) -> None:  # noqa: ARG001
    command: click.Command = cli
    rest = list(arguments)
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    context = command.make_context(command.name, rest)
    if command.name == "run-operation":
        (macro,) = ROOT.glob(f"macros/**/{context.params['macro']}.sql")
        signature = re.search(rf"macro {macro.stem}\((.*?)\)", macro.read_text(encoding="utf-8"))
        assert signature
        names = {name.partition("=")[0].strip() for name in signature[1].split(",")}
        assert {*(context.params["args"] or {})} <= names, f"the arguments are {names}"


CLI_ONLY = {
    ("cloudformation", "deploy"): {"stack-name", "template-file", "capabilities", "parameter-overrides"},
    ("s3", "cp"): set(),
    ("s3", "mb"): set(),
    ("ssm", "start-session"): {"target"},  # has the plugin
}
# Options that the CLI has in place of an operation's members.
CLI_OPTIONS = {("ec2", "authorize-security-group-ingress"): {"protocol", "port", "cidr", "source-group"}}
GLOBAL_OPTIONS = {"query", "output", "cli-input-json"}


@cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model("s3" if service == "s3api" else service)


def options_of(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each option, by its name without dashes."""
    options: dict[str, list[str]] = {}
    values: list[str] = []
    for argument in arguments:
        if argument.startswith("--"):
            values = options.setdefault(argument[2:], [])
        else:
            values.append(argument)
    return options


def check_aws(arguments: list[str], folder: Path) -> None:
    service, operation, *rest = arguments
    options = options_of(rest)
    if (service, operation) == ("cloudformation", "deploy"):
        check_deploy(options, folder)
    if (service, operation) in CLI_ONLY:
        assert {*options} <= CLI_ONLY[service, operation], "no such option"
        return
    model = service_model(service)
    if operation == "wait":
        waiters = botocore.session.get_session().get_waiter_model(service)
        (operation,) = [
            waiters.get_waiter(name).operation for name in waiters.waiter_names if xform_name(name, "-") == rest[0]
        ]
        operation = xform_name(operation, "-")
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, "no such operation"
    shape = model.operation_model(names[operation])
    members = {xform_name(name, "-"): name for name in shape.input_shape.members} if shape.input_shape else {}
    for option, values in options.items():
        name = members.get(option) or members.get(option.removeprefix("no-"))
        if not name:
            assert option in GLOBAL_OPTIONS | CLI_OPTIONS.get((service, operation), set()), f"no option --{option}"
        elif shape.input_shape.members[name].type_name != "boolean":
            assert values, f"--{option} has no value"
            check_value(values, shape.input_shape.members[name], folder)
    if "cli-input-json" in options:
        check_value(options["cli-input-json"], shape.input_shape, folder)
    elif shape.input_shape:
        missing = {name for name in shape.input_shape.required_members if xform_name(name, "-") not in options}
        assert not missing, f"lacks {missing}"
    if "query" in options:
        (query,) = options["query"]
        answer = ArgumentGenerator(use_member_names=True).generate_skeleton(shape.output_shape)
        assert "[?" in query or jmespath.search(query, json.loads(json.dumps(answer, default=str))), (
            f"answers have no {query}"
        )
        for output in re.findall(r"OutputKey=='(\w+)'", query):
            assert output in TEMPLATE["Outputs"], f"no output {output}"


def check_value(values: list[str], shape: Shape, folder: Path) -> None:
    value = values[0]
    if value.startswith("file://"):
        value = (folder / value.removeprefix("file://")).read_text(encoding="utf-8")
    if shape.type_name == "string":
        if '"Statement"' in value:
            check_policy(json.loads(value))
        if '"password"' in value:
            assert json.loads(value)["password"]
    elif value.startswith(("{", "[")):
        report = ParamValidator().validate(json.loads(value), shape)
        assert not report.has_errors(), report.generate_report()


def check_deploy(options: dict[str, list[str]], folder: Path) -> None:
    (template,) = options["template-file"]
    assert (folder / template).exists()
    given = dict(it.split("=", 1) for it in options["parameter-overrides"])
    parameters = TEMPLATE["Parameters"]
    assert {*given} <= {*parameters}, "no such parameter"
    if "VpcId" in given:  # a new stack
        assert {name for name, it in parameters.items() if "Default" not in it} <= {*given}
    for name, value in given.items():
        if "..." not in value:
            assert re.fullmatch(str(parameters[name].get("AllowedPattern", ".*")), value), f"{name}={value}"
            assert value in map(str, parameters[name].get("AllowedValues", [value])), f"{name}={value}"


@cache
def actions() -> dict[str, Any]:
    """Return the actions of each service that policies can name, in lower case, as cfn-lint knows them."""
    text = files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text(encoding="utf-8")
    return {prefix: {*service["Actions"]} for prefix, service in json.loads(text).items()}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def check_policy(policy: dict[str, Any]) -> None:
    for statement in policy["Statement"]:
        resources = as_list(statement.get("Resource", []))
        for action in as_list(statement["Action"]):
            prefix, _, name = action.partition(":")
            assert name.lower() in actions()[prefix], f"no action {action}"
        for resource in resources:
            assert re.fullmatch(r"arn:aws:[a-z0-9-]+:.*[^:/]", resource), f"all resources, or none: {resource}"
        assert resources or "Principal" in statement  # of those who may assume a role


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page, "json")], ids=str)
def test_json_can_be_read(block: Block) -> None:
    assert json.loads(filled(block.text))


# Of these the statements of the pages read columns, which are as AWS's developer guide has them.
SYSTEM_VIEWS = {
    "stv_db_isolation_level": "db_name text, isolation_level text",
    "svv_table_info": '"schema" text, "table" text, skew_rows numeric, unsorted numeric, stats_off numeric',
    "svv_transactions": "txn_owner text, pid int, lock_mode text, relation int, granted boolean",
    "sys_load_error_detail": "start_time timestamp, file_name text, line_number bigint, error_message text",
    "sys_query_history": "query_text text, query_label text, elapsed_time bigint, queue_time bigint",
    "sys_serverless_usage": "start_time timestamp, charged_seconds bigint",
}
SQL = "select|delete|insert|alter|drop|create|grant"
# PostgreSQL has roles in place of users, and none of the others.
LACKING = {
    "create user": lambda sql: f"create role {sql.split()[2]}",
    "grant role": lambda sql: sql.replace("grant role", "grant"),
    "grant create": lambda sql: edit(re.sub(r"database \w+", "database flyer_pages", sql)),
    "alter table": lambda sql: "select 1" if " owner to " in sql else edit(sql),
    **dict.fromkeys(("alter schema", "alter database", "create database", "drop materialized"), lambda _: "select 1"),
}

NOT_LINTED = ("create user", "alter database")  # of which the lint takes words for names


def statements(page: str) -> list[str]:
    written = [sql for block in blocks(page, "sql") for sql in sqlparse.split(block.text)]
    return [filled(sql).rstrip(";") for sql in [*written, *inline(page, SQL)]]


def columns_of(file: str, table: str) -> str:
    """Return the columns of a table or model with their types, as its yml has them."""
    described = yaml.safe_load((ROOT / "models/staging/flyer_app" / file).read_text(encoding="utf-8"))
    tables = described.get("models") or described["sources"][0]["tables"]
    (found,) = [it for it in tables if it["name"] == table]
    return ", ".join(f'"{it["name"]}" {it.get("data_type", "varchar(9)")}' for it in found["columns"])


def test_sql_runs(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    """On tables with the columns of the project's, without rows."""
    wanted = statements(PRODUCTION) + statements(REFERENCE)
    assert [str(found) for sql in wanted if not sql.startswith(NOT_LINTED) for found in lint(sql)] == []
    standin.create_database("flyer_pages")
    monkeypatch.setattr(standin, "_emulations", LACKING | standin._emulations)
    monkeypatch.setenv("SSL_CERT_FILE", str(standin.ca))
    with standin.connect("flyer_pages") as owner, owner.cursor() as cursor:
        for view, columns in SYSTEM_VIEWS.items():
            cursor.execute(f"drop view if exists redshift.{view}; create table redshift.{view} ({columns})")
            cursor.execute(f"grant select on redshift.{view} to public")
    connection = redshift_connector.connect(
        host=standin.host, port=standin.port, database="flyer_pages", user=standin.user, password="any"  # noqa: S106
    )  # fmt: skip
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute('create schema "raw"')
    cursor.execute("create schema staging")
    for table in ("flyer_events", "loaded_files", "rejected_lines"):
        cursor.execute(f'create table "raw".{table} ({columns_of("_flyer_app__sources.yml", table)})')
    rejected = columns_of("stg_flyer_app__rejected.yml", "stg_flyer_app__rejected")
    cursor.execute(f"create table staging.stg_flyer_app__rejected ({rejected})")
    cursor.execute('create table "raw".merchant_readers (reader varchar(128), merchant_id varchar(1024))')
    cursor.execute('create table "raw".flyer_events_restored (user_id varchar(1024))')
    run: list[str] = []
    try:
        for sql in ["create role bi_tool", *wanted]:  # a shell block makes this one
            cursor.execute(sql)
            run.append(sql)
    finally:
        connection.close()
        with standin.connect("flyer_pages") as owner, owner.cursor() as cursor:
            for role in re.findall(r"create (?:role|user) (\S+)", "\n".join(run)):
                cursor.execute(f"drop owned by {role}; drop role {role}")


def test_users_without_a_password_are_iam_roles() -> None:
    """On Serverless no others could log in."""
    for page in PAGES:
        for name in re.findall(r"create user (\S+) password disable", text_of(page)):
            assert name.startswith('"IAMR:'), f"{page}: {name}"


# Messages that are not the project's, and whose they are.
MESSAGES_OF_OTHERS = {
    "connection time out": "the driver, core.py",
    "The read operation timed out": "Python, ssl",
    "Env var required but not provided": "dbt, exceptions",
    "Unable to locate credentials": "botocore, exceptions",
    "is not authorized to perform: redshift-serverless:GetCredentials": "AWS",
    "permission denied for database": "Redshift",
    "permission denied for schema": "Redshift",
    "S3: An error occurred (AccessDenied)": "botocore, behind the project's S3:",
    "Load into table 'load_copy' failed": "Redshift, COPY",
    "conflict with concurrent transaction": "Redshift; dbt-redshift issue 903",
    "could not open relation with OID": "Redshift; dbt-redshift issue 974",
    "Serializable isolation violation": "Redshift, error 1023",
    "Query reached usage limit": "Redshift Serverless",
    "cancelled by WLM abort action of Query Monitoring Rule": "Redshift; AWS knowledge center, redshift-query-abort",
}


def test_quoted_messages_exist() -> None:
    """Those of the table "message, action"."""
    table = text_of(PRODUCTION).partition("| message | action |\n|---|---|\n")[2].partition("\n\n")[0]
    quoted = [found for row in table.splitlines() for found in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert quoted
    sources = [
        *ROOT.glob("macros/**/*.sql"),
        *ROOT.glob("flyer_analytics/**/*.py"),
        *filter(Path.is_file, RUNNER.iterdir()),
    ]
    text = " ".join(source.read_text(encoding="utf-8") for source in sources)
    text = re.sub(r"[\"']\s*(?:~\s*)?f?[\"']", "", text)  # of strings that are written in parts
    for message in quoted:
        parts = [part.strip() for part in message.split("...")]
        assert message in MESSAGES_OF_OTHERS or all(part in text for part in parts), message
    assert {*MESSAGES_OF_OTHERS} <= {*quoted}


def slugs(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", it).lower()).replace(" ", "-") for it in headings
    }


def test_links_between_pages_lead_somewhere() -> None:
    command = ["git", "ls-files", "*.md", ":!models"]  # those of models are pages of dbt's site
    pages = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for page in map(ROOT.joinpath, pages.splitlines()):
        text = re.sub(r"^```.*?^```$|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), f"{page.name}: {target}"
            assert not anchor or file.suffix != ".md" or anchor in slugs(file), f"{page.name}: {target}"


def test_the_page_is_short() -> None:
    lines = text_of(PRODUCTION).splitlines()
    assert len(lines) <= 350
    for page in PAGES:
        long = [line for line in text_of(page).splitlines() if len(line) > 120 and not line.startswith("|")]
        assert not long


@pytest.mark.parametrize("page", PAGES)
def test_parameters_and_outputs_exist(page: str) -> None:
    known = {*TEMPLATE["Parameters"], *TEMPLATE["Outputs"], "OnFailure", "ConfigParameters"}
    for code in re.findall(r"`([^`\n]+)`", text_of(page)):
        for name in re.findall(r"(?<!\S)([A-Z][a-z]+(?:[A-Z][a-z]+)+)(?=$|=)", code):
            assert name in known or page in (PIPELINE, INFRASTRUCTURE), name


def test_costs_add_up() -> None:
    rows = re.findall(r"^\| .* \| (\d+) \| (\d+) \|.*$", text_of(PRODUCTION), re.MULTILINE)
    total = re.search(r"\| \*\*(\d+)\*\* \| \*\*(\d+)\*\* \|", text_of(PRODUCTION))
    assert total
    assert [sum(int(row[place]) for row in rows) for place in (0, 1)] == [*map(int, total.groups())]
