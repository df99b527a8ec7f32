"""The CloudFormation template: what its policies allow, what is open, and that it agrees with the project's scripts.

Its syntax and types are checked by cfn-lint, in `make lint`.
"""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cfnlint.decode import cfn_yaml
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from infrastructure.runner.build_metrics import metrics
from python_tests.production.test_runner import write_results

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = cfn_yaml.load(str(ROOT / "infrastructure/flyer.yaml"))
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
BUCKET, STREAM = "${Bucket.Arn}", "${KinesisStream.Arn}"
KAFKA = "arn:${AWS::Partition}:kafka:${AWS::Region}:${AWS::AccountId}"
TOPIC = [f"{KAFKA}:cluster/${{KafkaCluster}}", f"{KAFKA}:topic/${{KafkaCluster}}/${{KafkaTopic}}"]
READ = [f"{BUCKET}/{folder}/*" for folder in ("archive", "events", "lake", "manifests")]
# What the calls of boto3 need that the load makes.
S3_ACTIONS = {
    "get_paginator": "s3:ListBucket",  # of list_objects_v2
    "get_object": "s3:GetObject",
    "head_object": "s3:GetObject",
    "download_file": "s3:GetObject",
    "put_object": "s3:PutObject",
}
ALLOWED = {
    "RunnerRole": {
        "s3:ListBucket": [BUCKET],
        "s3:GetObject": READ,
        "s3:PutObject": [f"{BUCKET}/manifests/*"],
        "redshift-serverless:GetCredentials": ["${Workgroup.Workgroup.WorkgroupArn}"],
        "redshift-serverless:GetWorkgroup": ["${Workgroup.Workgroup.WorkgroupArn}"],
        "cloudwatch:PutMetricData": ["*"],
        "sns:Publish": ["${AlarmTopic}"],
    },
    "RedshiftRole": {
        # COPY and UNLOAD
        "s3:ListBucket": [BUCKET],
        "s3:GetBucketLocation": [BUCKET],
        "s3:ListBucketMultipartUploads": [BUCKET],
        "s3:GetObject": sorted([*READ, f"{BUCKET}/exports/*"]),
        "s3:PutObject": [f"{BUCKET}/exports/*"],
        "s3:DeleteObject": [f"{BUCKET}/exports/*"],  # CLEANPATH
        "s3:AbortMultipartUpload": [f"{BUCKET}/exports/*"],
        "s3:ListMultipartUploadParts": [f"{BUCKET}/exports/*"],
        # streaming ingestion
        "kinesis:DescribeStreamSummary": [STREAM],
        "kinesis:DescribeStream": [STREAM],
        "kinesis:GetShardIterator": [STREAM],
        "kinesis:GetRecords": [STREAM],
        "kinesis:ListShards": [STREAM],
        "kinesis:ListStreams": ["*"],
        "kafka-cluster:Connect": TOPIC,
        "kafka-cluster:DescribeTopic": TOPIC,
        "kafka-cluster:ReadData": TOPIC,
        "kafka:GetBootstrapBrokers": ["*"],
    },
    "ArchiveRole": {
        "kinesis:DescribeStream": [STREAM],
        "kinesis:GetShardIterator": [STREAM],
        "kinesis:GetRecords": [STREAM],
        "kinesis:ListShards": [STREAM],
        "s3:GetBucketLocation": [BUCKET],
        "s3:ListBucket": [BUCKET],
        "s3:ListBucketMultipartUploads": [BUCKET],
        "s3:AbortMultipartUpload": [f"{BUCKET}/archive-errors/*", f"{BUCKET}/archive/*"],
        "s3:GetObject": [f"{BUCKET}/archive-errors/*", f"{BUCKET}/archive/*"],
        "s3:PutObject": [f"{BUCKET}/archive-errors/*", f"{BUCKET}/archive/*"],
    },
    "UsageLimitRole": {
        "redshift-serverless:CreateUsageLimit": ["*"],
        "redshift-serverless:UpdateUsageLimit": ["*"],
        "redshift-serverless:DeleteUsageLimit": ["*"],
        "logs:CreateLogStream": ["${UsageLimitLogs.Arn}"],
        "logs:PutLogEvents": ["${UsageLimitLogs.Arn}"],
    },
}
# AWS's service authorization reference, as cfn-lint brings it: by service, the actions and their kinds of resources.
REFERENCE = json.loads(files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text(encoding="utf-8"))


def each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """Return a reference as it stands in a template of Fn::Sub."""
    match value:
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": path}:
            return f"${{{path if isinstance(path, str) else '.'.join(path)}}}"
        case {"Fn::Sub": template}:
            return str(template)
    return str(value)


def of_type(name: str) -> dict[str, Any]:
    return {key: it["Properties"] for key, it in RESOURCES.items() if it["Type"] == name}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements of all roles."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield from ((name, it) for it in policy["PolicyDocument"]["Statement"])
    for policy in of_type("AWS::IAM::RolePolicy").values():
        yield from ((policy["RoleName"]["Ref"], it) for it in policy["PolicyDocument"]["Statement"])


def allowed() -> dict[str, dict[str, list[str]]]:
    """Return the resources of each action of each role."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for role, statement in statements():
        assert statement["Effect"] == "Allow"
        for action in each(statement["Action"]):
            found[role][action] |= {text(it) for it in each(statement["Resource"])}
    return {role: {action: sorted(it) for action, it in actions.items()} for role, actions in found.items()}


def test_policies_allow_what_is_used_and_no_more() -> None:
    assert allowed() == ALLOWED


def test_actions_exist_and_resources_are_named_where_they_can_be() -> None:
    everywhere = set()
    for actions in allowed().values():
        for action, resources in actions.items():
            service, name = action.lower().split(":")
            kinds = REFERENCE[service]["Actions"][name].get("Resources")
            if kinds and "*" in resources:
                everywhere.add(action)
    assert everywhere == {"cloudwatch:PutMetricData"}  # which a condition limits, below


def test_the_runner_may_do_to_s3_what_the_load_does() -> None:
    calls = re.findall(r"client[.](\w+)[(]", (ROOT / "flyer_analytics/load/s3.py").read_text(encoding="utf-8"))
    needed = {S3_ACTIONS[call] for call in calls}
    assert needed == {action for action in allowed()["RunnerRole"] if action.startswith("s3:")}


def test_the_runner_publishes_to_its_namespace_only() -> None:
    (statement,) = [it for _, it in statements() if it["Action"] == "cloudwatch:PutMetricData"]
    assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Flyer"}}


def test_roles_are_for_services_only() -> None:
    trusted = {
        name: each(statement["Principal"]["Service"])
        for name, role in of_type("AWS::IAM::Role").items()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    assert trusted == {
        "RunnerRole": ["ec2.amazonaws.com"],
        "RedshiftRole": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"],
        "ArchiveRole": ["firehose.amazonaws.com"],
        "UsageLimitRole": ["lambda.amazonaws.com"],
    }


def test_the_bucket_is_private_encrypted_and_kept() -> None:
    bucket = RESOURCES["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (statement,) = RESOURCES["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("name", ["Bucket", "Namespace", "KinesisStream"])
def test_what_holds_events_outlives_the_stack(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_no_lifecycle_rule_deletes_events() -> None:
    rules = RESOURCES["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {it["Prefix"] for it in rules if "ExpirationInDays" in it} == {"exports/"}
    assert all("Prefix" in it for it in rules if {"ExpirationInDays", "ExpirationDate", "Transitions"} & it.keys())
    assert [it for it in rules if "NoncurrentVersionExpiration" in it]
    assert [it for it in rules if "AbortIncompleteMultipartUpload" in it]


def test_nothing_is_open_to_the_internet() -> None:
    assert RESOURCES["Workgroup"]["Properties"]["PubliclyAccessible"] is False
    groups = of_type("AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in groups["RunnerSecurityGroup"]
    runner, readers = groups["RedshiftSecurityGroup"]["SecurityGroupIngress"]
    assert text(runner["SourceSecurityGroupId"]) == "${RunnerSecurityGroup.GroupId}"
    condition, readers, nobody = readers["Fn::If"]
    assert (condition, text(readers["CidrIp"]), text(nobody)) == ("HasReadersCidr", "${ReadersCidr}", "${AWS::NoValue}")
    assert {(it["IpProtocol"], it["FromPort"], it["ToPort"]) for it in (runner, readers)} == {("tcp", 5439, 5439)}
    assert not of_type("AWS::EC2::SecurityGroupIngress")


def test_the_runner_connects_to_aws_and_redshift_only() -> None:
    (internet,) = RESOURCES["RunnerSecurityGroup"]["Properties"]["SecurityGroupEgress"]
    assert (internet["FromPort"], internet["ToPort"]) == (443, 443)
    redshift = RESOURCES["RunnerToRedshift"]["Properties"]
    assert (redshift["FromPort"], redshift["ToPort"]) == (5439, 5439)


def test_the_runner_has_an_encrypted_disk_and_no_password() -> None:
    data = RESOURCES["RunnerTemplate"]["Properties"]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert [it["Ebs"]["Encrypted"] for it in data["BlockDeviceMappings"]] == [True]
    assert "KeyName" not in data
    assert RESOURCES["KinesisStream"]["Properties"]["StreamEncryption"]["EncryptionType"] == "KMS"
    namespace = RESOURCES["Namespace"]["Properties"]
    assert namespace["ManageAdminPassword"] is True
    assert "AdminUserPassword" not in namespace


def user_data() -> str:
    script: str = RESOURCES["RunnerTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"][
        0
    ]
    return script


def settings() -> str:
    return (ROOT / "infrastructure/runner/flyer-analytics.env").read_text(encoding="utf-8")


def test_user_data_sets_what_install_needs() -> None:
    exported = re.findall(r"^export ([A-Z0-9_]+)=", user_data(), re.MULTILINE)
    assert set(exported) - {"HOME"} == set(re.findall(r"\$\{([A-Z0-9_]+)\}", settings()))
    subprocess.run(["/bin/bash", "-n"], input=user_data(), text=True, check=True)


def test_user_data_and_settings_agree_with_the_template() -> None:
    namespace = RESOURCES["Namespace"]["Properties"]
    assert f"FLYER_REDSHIFT_DATABASE={namespace['DbName']}\n" in settings()
    assert f"FLYER_REDSHIFT_PORT={RESOURCES['RunnerToRedshift']['Properties']['ToPort']}\n" in settings()
    # so that profiles.yml takes the host for a workgroup of Serverless and asks it for credentials
    assert "FLYER_REDSHIFT_METHOD=iam_role\n" in settings()
    (path,) = re.findall(r"^/\S+$", user_data(), re.MULTILINE)
    assert (ROOT / path.removeprefix("/opt/flyer-analytics/")).exists()


def test_alarms_watch_what_builds_publish(tmp_path: Path) -> None:
    write_results(tmp_path)
    alarms = of_type("AWS::CloudWatch::Alarm")
    own = {name: it for name, it in alarms.items() if it.get("Namespace") == "Flyer"}
    assert {it["MetricName"] for it in own.values()} == metrics(0, tmp_path).keys()
    for name, alarm in alarms.items():
        assert text(alarm["AlarmActions"][0]) == "${AlarmTopic}", name
    for alarm in own.values():
        (dimension,) = alarm["Dimensions"]
        assert (dimension["Name"], text(dimension["Value"])) == ("Environment", "${Environment}")


@pytest.mark.parametrize(
    ("alarm", "missing"),
    [("BuildFailedAlarm", "ignore"), ("NoBuildAlarm", "breaching"), ("StaleSourceAlarm", "ignore")],
)
def test_a_missing_build_is_an_alarm_and_a_state_lasts_until_the_next_build(alarm: str, missing: str) -> None:
    assert RESOURCES[alarm]["Properties"]["TreatMissingData"] == missing


def test_another_release_replaces_the_runner() -> None:
    """A launch template has versions, and an instance of another version is another instance."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::EC2::Instance").schema
    assert "/properties/LaunchTemplate" in schema["createOnlyProperties"]
    template = RESOURCES["Runner"]["Properties"]["LaunchTemplate"]
    assert text(template["Version"]) == "${RunnerTemplate.LatestVersionNumber}"


def test_no_build_for_a_day_is_an_alarm() -> None:
    alarm = RESOURCES["NoBuildAlarm"]["Properties"]
    # CloudWatch takes more than a day only in periods of an hour or more.
    assert alarm["Period"] >= 3600
    assert 24 < alarm["Period"] * alarm["EvaluationPeriods"] / 3600 < 48


def test_a_source_is_stale_after_the_schedule() -> None:
    """`dbt source freshness` at any time waits for the daily load; the alarm is looked at right after it."""
    stale_hours = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]["stale_after_minutes"] / 60
    assert TEMPLATE["Parameters"]["BuildSchedule"]["Default"].startswith("*-*-* ")  # once a day
    assert 20 < TEMPLATE["Parameters"]["MaxSourceAgeHours"]["Default"] < 24 < stale_hours < 48


def test_names_have_the_environment() -> None:
    kinds = ("Name", "AlarmName", "BucketName", "LogGroupName", "TopicName", "RoleName", "DeliveryStreamName")
    for key, resource in RESOURCES.items():
        for kind in (*kinds, "NamespaceName", "WorkgroupName"):
            name = resource["Properties"].get(kind)
            if isinstance(name, dict) and "Ref" in name:
                name = None  # of another resource
            assert name is None or "flyer-${Environment}" in text(name), key


def test_the_readme_has_all_parameters() -> None:
    page = (ROOT / "infrastructure/README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([A-Z]\w+)` \|", page, re.MULTILINE) == [*TEMPLATE["Parameters"]]


class MissingError(Exception):
    pass


class Limits:
    """The usage limits of Redshift Serverless, and what CloudFormation was told."""

    exceptions = SimpleNamespace(ResourceNotFoundException=MissingError)

    def __init__(self) -> None:
        self.amounts: dict[str, int] = {}
        self.answers: list[tuple[str, str]] = []
        code = RESOURCES["UsageLimitFunction"]["Properties"]["Code"]["ZipFile"]
        response = SimpleNamespace(SUCCESS="SUCCESS", FAILED="FAILED", send=self.send)
        scope: dict[str, Any] = {"boto3": SimpleNamespace(client=lambda _: self), "cfnresponse": response}
        exec(re.sub(r"^import \w+$", "", code, flags=re.MULTILINE), scope)  # noqa: S102
        self.handler: Callable[..., None] = scope["handler"]

    def send(self, event: Any, context: Any, status: str, data: Any, limit: str, reason: str | None = None) -> None:
        assert (event["StackId"], context, data) == ("stack", None, {})
        assert (reason is None) == (status == "SUCCESS")
        self.answers.append((status, limit))

    def create_usage_limit(self, **request: Any) -> dict[str, Any]:
        assert request["usageType"] == "serverless-compute"
        assert (request["period"], request["breachAction"]) == ("daily", "deactivate")
        limit = f"limit of {request['resourceArn']}"
        self.amounts[limit] = request["amount"]
        return {"usageLimit": {"usageLimitId": limit}}

    def update_usage_limit(self, *, usageLimitId: str, amount: int) -> None:  # noqa: N803
        if usageLimitId not in self.amounts:
            raise MissingError(usageLimitId)
        self.amounts[usageLimitId] = amount

    def delete_usage_limit(self, *, usageLimitId: str) -> None:  # noqa: N803
        if self.amounts.pop(usageLimitId, None) is None:
            raise MissingError(usageLimitId)

    def handle(self, kind: str, workgroup: str, amount: str, limit: str | None = None, old: str | None = None) -> None:
        event: dict[str, Any] = {
            "StackId": "stack",
            "RequestType": kind,
            "ResourceProperties": {"WorkgroupArn": workgroup, "Amount": amount},  # CloudFormation sends text
        }
        if limit:
            event["PhysicalResourceId"] = limit
        if old:
            event["OldResourceProperties"] = {"WorkgroupArn": old}
        self.handler(event, None)


def test_the_usage_limit_follows_the_template() -> None:
    limits = Limits()
    limits.handle("Create", "a", "50")
    assert limits.amounts == {"limit of a": 50}
    limits.handle("Update", "a", "80", limit="limit of a", old="a")
    assert limits.amounts == {"limit of a": 80}
    # Another workgroup has another limit; CloudFormation deletes the one whose id is not returned any more.
    limits.handle("Update", "b", "80", limit="limit of a", old="a")
    limits.handle("Delete", "a", "80", limit="limit of a")
    assert limits.amounts == {"limit of b": 80}
    limits.handle("Delete", "a", "80", limit="limit of a")  # deleted with its workgroup
    assert limits.answers == [("SUCCESS", f"limit of {it}") for it in "aabaa"]


def test_a_usage_limit_that_cannot_be_set_fails_the_stack() -> None:
    limits = Limits()
    limits.handle("Create", "a", "many")
    limits.handle("Delete", "a", "50", limit="none")  # what CloudFormation does then
    limits.handle("Update", "a", "50", limit="unknown", old="a")
    assert limits.answers == [("FAILED", "none"), ("SUCCESS", "none"), ("FAILED", "unknown")]
