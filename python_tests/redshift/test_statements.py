"""Statements for production that the stand-in cannot execute, compared with the syntax in AWS's documentation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode, SeedNode

Compile = Callable[[str], str]

NOWHERE = {
    "FLYER_REDSHIFT_HOST": "localhost",
    "FLYER_REDSHIFT_DATABASE": "flyers",
    "FLYER_REDSHIFT_USER": "builder",
    "FLYER_REDSHIFT_PASSWORD": "any",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        scratch = tmp_path_factory.mktemp("dbt")
        for name, value in NOWHERE.items():
            patch.setenv(name, value)
        patch.setenv("DBT_TARGET_PATH", str(scratch / "target"))
        patch.setenv("DBT_LOG_PATH", str(scratch / "logs"))
        patch.setenv("FLYER_DUCKDB_PATH", str(scratch / "none.duckdb"))
        patch.setenv("FLYER_REDSHIFT_READERS", "role:bi,user:tableau")
        patch.setenv("FLYER_REDSHIFT_EXPLORERS", "role:scientists")
        yield patch


@pytest.fixture(scope="module")
def manifest(environment: pytest.MonkeyPatch) -> Manifest:  # noqa: ARG001
    parsed = dbtRunner().invoke(["--quiet", "parse", "--target", "redshift"])
    assert isinstance(parsed.result, Manifest), parsed.exception
    return parsed.result


@pytest.fixture(scope="module")
def compiled(manifest: Manifest) -> Compile:
    """Compiles a Jinja expression for target redshift without a connection; whitespace is collapsed."""

    def compile_inline(expression: str) -> str:
        options = ["--target", "redshift", "--no-populate-cache", "--no-introspect"]
        result = dbtRunner(manifest=manifest).invoke(
            ["--log-level", "none", "compile", *options, "--inline", f"{{{{ {expression} }}}}"]
        )
        assert result.success, result.exception
        return " ".join(result.result.results[0].node.compiled_code.split())  # type: ignore[union-attr]

    return compile_inline


COLUMNS = "'columns': [['timestamp', 'varchar(65535)'], ['ignored_2', 'varchar(65535)']]"


@pytest.mark.parametrize(
    ("copy", "statement"),
    [
        (
            "{'format': 'csv', 'compression': 'gz', 'delimiter': ';', ",
            """copy load_copy ("timestamp", "ignored_2") from 's3://b/1.manifest' iam_role default
            format as csv delimiter ';' ignoreheader 1 ignoreblanklines emptyasnull gzip manifest maxerror 100000
            compupdate off statupdate off""",
        ),
        (
            "{'format': 'json', 'compression': 'zst', ",
            """copy load_copy ("timestamp", "ignored_2") from 's3://b/1.manifest' iam_role default
            format as json 'auto ignorecase' zstd manifest maxerror 100000 compupdate off statupdate off""",
        ),
        (
            "{'format': 'parquet', ",
            "copy load_copy from 's3://b/1.manifest' iam_role default format as parquet manifest statupdate off",
        ),
    ],
)
def test_copy(compiled: Compile, copy: str, statement: str) -> None:
    assert compiled(f"copy_sql({copy} 'manifest': 's3://b/1.manifest', {COLUMNS}}})") == " ".join(statement.split())


def test_copy_assumes_the_role_of_the_variable(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYER_REDSHIFT_IAM_ROLE", "arn:aws:iam::123456789012:role/flyer-s3")
    assert compiled("iam_role()") == "'arn:aws:iam::123456789012:role/flyer-s3'"


def test_unload(compiled: Compile) -> None:
    relation = "relation_of('int_flyer_views')"
    condition = "\"date between '2018-10-01' and '2018-10-31'\""
    assert compiled(f"unload_sql({relation}, {condition}, 's3://lake/int_flyer_views')") == (
        """unload ('select * from "flyers"."intermediate"."int_flyer_views" """
        """where date between ''2018-10-01'' and ''2018-10-31''') """
        "to 's3://lake/int_flyer_views/' iam_role default format as parquet partition by (date) cleanpath"
    )


DAILY_COLUMNS = (
    "merchant_id, flyer_id, date, is_suppressed, readers, views, measured_views, total_view_secs, avg_view_secs,"
    " median_view_secs, items_opened, views_to_other_merchants, share_to_other_merchants, merchant_favorites"
)
MARTS_OF_MERCHANTS = {
    '"marts"."merchant_flyer_daily"': DAILY_COLUMNS,
    '"marts"."merchant_hourly"': "merchant_id, date, hour, readers, views",
}


def test_merchants_get_their_privilege_after_their_policy(compiled: Compile) -> None:
    """In this order nobody can read too many rows at any time, and the builder always sees all of them."""
    statements = compiled("protect_merchant_rows_sql('partners', ['bi', 'staff'], 'builder') | join(';\n')").split("; ")
    assert statements == [
        'grant ignore rls to role "builder"',
        'create table if not exists "raw".merchant_readers (reader varchar(128), merchant_id varchar(1024))'
        " diststyle all",
        "drop rls policy if exists merchant_rows cascade",
        "drop rls policy if exists every_row cascade",
        "create rls policy merchant_rows with (merchant_id varchar(1024)) using (merchant_id in"
        ' (select merchant_id from "raw".merchant_readers where reader = current_user))',
        "create rls policy every_row using (true)",
    ] + [
        statement
        for mart, columns in MARTS_OF_MERCHANTS.items()
        for statement in (
            f'attach rls policy merchant_rows on {mart} to role "partners"',
            f'attach rls policy every_row on {mart} to role "bi"',
            f'attach rls policy every_row on {mart} to role "staff"',
            f"alter table {mart} row level security on",
            'grant usage on schema "marts" to role "partners"',
            f'grant select ({columns}) on {mart} to role "partners"',
        )
    ]


def test_merchants_lose_their_privilege_before_their_policy(compiled: Compile) -> None:
    assert compiled("unprotect_merchant_rows_sql('partners') | join(';\n')").split("; ") == [
        statement
        for mart, columns in MARTS_OF_MERCHANTS.items()
        for statement in (
            f'revoke select ({columns}) on {mart} from role "partners"',
            f"alter table {mart} row level security off",
        )
    ] + ["drop rls policy if exists merchant_rows cascade", "drop rls policy if exists every_row cascade"]


def test_policy_has_the_type_of_its_column(manifest: Manifest) -> None:
    for mart in ("merchant_flyer_daily", "merchant_hourly"):
        assert manifest.nodes[f"model.flyer_analytics.{mart}"].columns["merchant_id"].data_type == "varchar(1024)"


def test_stream_of_kinesis(compiled: Compile) -> None:
    assert compiled("create_stream_schema_sql('kinesis')") == (
        "create external schema if not exists flyer_stream from kinesis iam_role default"
    )
    assert compiled("create_stream_view_sql('kinesis', 'flyer-events')") == (
        """create materialized view "raw".flyer_events_stream sortkey (refresh_time) auto refresh yes as """
        """select refresh_time, """
        """'flyer-events/' || trim(shard_id) as _source_file, cast(null as bigint) as _source_row, """
        """lpad(trim(sequence_number), 128, '0') as stream_position, kinesis_data as message """
        """from flyer_stream."flyer-events\""""
    )


def test_stream_of_kafka(compiled: Compile) -> None:
    assert compiled("create_stream_schema_sql('msk', 'arn:aws:kafka:x')") == (
        "create external schema if not exists flyer_stream from msk iam_role default authentication iam"
        " cluster_arn 'arn:aws:kafka:x'"
    )
    assert compiled("create_stream_view_sql('msk', 'flyer-events')") == (
        """create materialized view "raw".flyer_events_stream sortkey (refresh_time) auto refresh yes as """
        """select refresh_time, """
        """'flyer-events/' || cast(kafka_partition as varchar(20)) as _source_file, kafka_offset as _source_row, """
        """lpad(cast(kafka_offset as varchar(20)), 128, '0') as stream_position, kafka_value as message """
        """from flyer_stream."flyer-events\""""
    )


@pytest.mark.parametrize(
    ("method", "host", "is_refused"),
    [
        ("iam", "flyer.1.us-east-1.redshift-serverless.amazonaws.com", True),
        ("iam", "flyer.abc.us-east-1.redshift.amazonaws.com", False),
        ("iam_role", "flyer.1.us-east-1.redshift-serverless.amazonaws.com", False),
    ],
)
def test_iam_users_of_serverless_are_refused(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch, method: str, host: str, is_refused: bool
) -> None:
    """The driver would ignore the user without a word."""
    monkeypatch.setenv("FLYER_REDSHIFT_METHOD", method)
    monkeypatch.setenv("FLYER_REDSHIFT_HOST", host)
    options = ["--target", "redshift", "--no-populate-cache", "--no-introspect"]
    said: list[str] = []
    runner = dbtRunner(manifest=manifest, callbacks=[lambda event: said.append(str(event.info))])
    result = runner.invoke(["--log-level", "none", "compile", *options, "--inline", "{{ validate_login() }}"])
    assert ("exists on clusters only" in "\n".join(said)) == is_refused
    assert result.success != is_refused


def test_distribution_and_sort_keys(manifest: Manifest) -> None:
    design = {
        node.name: (node.config.get("dist"), node.config.get("sort"))
        for node in manifest.nodes.values()
        if isinstance(node, ModelNode | SeedNode) and node.config.materialized != "view"
    }
    assert design.pop("event_types") == design.pop("sample_flyer_events") == ("all", None)
    assert design.pop("stg_flyer_app__rejected") == ("even", "_loaded_at")
    assert design.pop("stg_flyer_app__users") == ("user_key", "user_id")
    assert design.pop("stg_flyer_app__actions") == ("all", "action_key")
    assert design.pop("user_daily_avg_flyer_time") == ("user_id", "date")
    assert design.pop("merchant_flyer_engagement") == ("user_id", ["date", "merchant_id"])
    assert design.pop("int_flyer_daily") == ("merchant_id", "date")
    assert (
        design.pop("merchant_flyer_daily") == design.pop("merchant_hourly") == ("merchant_id", ["date", "merchant_id"])
    )
    assert design.pop("time_spine_daily") == design.pop("stg_flyer_app__new_dates") == ("all", "date")
    assert set(design.values()) == {("user_key", "date")}


def test_grants_are_those_of_the_environment(manifest: Manifest) -> None:
    for node in manifest.nodes.values():
        if isinstance(node, ModelNode):
            grantees = ["role:bi", "user:tableau"] if node.schema == "marts" else ["role:scientists"]
            assert node.config.grants == {"select": [] if node.name == "base_flyer_app__events" else grantees}, (
                node.name
            )


def test_who_may_read_a_view_may_use_the_schemas_that_it_reads(manifest: Manifest) -> None:
    """Redshift asks it of the reader of a late-binding view, not of its owner."""
    models = [node for node in manifest.nodes.values() if isinstance(node, ModelNode)]
    usage = {(node.schema, grantee) for node in models for grantee in node.config.grants.get("select", [])}
    views = [node for node in models if node.config.materialized == "view" and node.config.grants]
    assert views
    for view in views:
        for parent in view.depends_on.nodes:
            schema = {**manifest.sources, **manifest.nodes}[parent].schema
            lacking = [grantee for grantee in view.config.grants["select"] if (schema, grantee) not in usage]
            assert not lacking, f"{lacking} may select from {view.name}, which reads schema {schema}"


def test_duckdb_has_no_grants(environment: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    parsed = dbtRunner().invoke(["--quiet", "parse", "--target", "duckdb"])
    assert isinstance(parsed.result, Manifest), parsed.exception
    assert not [node for node in parsed.result.nodes.values() if isinstance(node, ModelNode) and node.config.grants]


@pytest.mark.parametrize(
    ("missing", "environment_has"),
    [
        ("FLYER_REDSHIFT_HOST", {}),
        ("FLYER_REDSHIFT_DATABASE", {}),
        ("FLYER_REDSHIFT_USER", {}),
        ("FLYER_REDSHIFT_PASSWORD", {}),
        ("FLYER_REDSHIFT_USER", {"FLYER_REDSHIFT_METHOD": "iam"}),
        (None, {"FLYER_REDSHIFT_METHOD": "iam"}),
        (None, {"FLYER_REDSHIFT_METHOD": "iam_role"}),
    ],
)
def test_a_missing_variable_is_named(
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    missing: str | None,
    environment_has: dict[str, str],
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    for name, value in environment_has.items():
        monkeypatch.setenv(name, value)
    unneeded = {"iam": ["PASSWORD"], "iam_role": ["PASSWORD", "USER"]}.get(
        environment_has.get("FLYER_REDSHIFT_METHOD", ""), []
    )
    for name in unneeded if missing is None else [missing.removeprefix("FLYER_REDSHIFT_")]:
        monkeypatch.delenv(f"FLYER_REDSHIFT_{name}")
    result = dbtRunner(manifest=manifest).invoke(
        ["--log-level", "none", "list", "--select", "none", "--target", "redshift"]
    )
    if missing:
        assert f"Env var required but not provided: '{missing}'" in str(result.exception)
    else:
        assert result.success, result.exception
