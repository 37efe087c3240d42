"""Small tools to speak to the server over plain HTTP and to compare what it answers."""

import base64
import json
import re

import requests

STATUS_OF = {
    "INVALID_PARAMETER_VALUE": 400,
    "BAD_REQUEST": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "INTERNAL_ERROR": 500,
    "INVALID_STATE": 500,
}

SEE_DOCS = " See the API docs for more information about request parameters."


def missing(parameter):
    """The text for a required parameter that is absent, null or empty."""
    return f"Missing value for required parameter '{parameter}'.{SEE_DOCS}"


def wrong_type(value, parameter, type_name):
    """The text for a parameter of the wrong JSON type."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return (
        f"Invalid value {shown} for parameter '{parameter}' supplied:  Hint: Value was of type '{type_name}'.{SEE_DOCS}"
    )


class Answer:
    """A response: its status, its JSON body (or None) and its text."""

    def __init__(self, response):
        self.response = response
        self.status = response.status_code
        self.text = response.text
        self.headers = response.headers
        try:
            self.body = response.json()
        except ValueError:
            self.body = None

    def __repr__(self):
        return f"<{self.response.request.method} {self.response.url} -> {self.status} {self.text[:500]}>"

    @property
    def ok(self):
        assert self.status == 200, self
        assert self.headers["content-type"].split(";")[0] == "application/json", self
        return self.body

    def refused(self, code, *texts, exactly=None):
        """Assert an error of this code whose message holds every text; return the message."""
        assert self.body is not None, self
        assert self.body.get("error_code") == code, self
        assert self.status == STATUS_OF[code], self
        message = self.body["message"]
        for text in texts:
            assert text in message, self
        if exactly is not None:
            assert message == exactly, self
        return message

    def repeated_order(self):
        """Assert the refusal of an order_by that names a field twice: MLflow says 500, which its clients retry."""
        code = "INVALID_PARAMETER_VALUE" if self.status == 400 else "INTERNAL_ERROR"
        return self.refused(code, "`order_by` contains duplicate fields: ")

    def invalid(self, *texts, exactly=None):
        return self.refused("INVALID_PARAMETER_VALUE", *texts, exactly=exactly)

    def absent(self, *texts, exactly=None):
        return self.refused("RESOURCE_DOES_NOT_EXIST", *texts, exactly=exactly)


class Api:
    """JSON calls below one prefix; a path that starts with a slash is taken from the root."""

    def __init__(self, base_url, prefix="/api/2.0/mlflow/"):
        self.base_url = base_url
        self.prefix = prefix
        self.session = requests.Session()

    def url(self, path):
        return self.base_url + (path if path.startswith("/") else self.prefix + path)

    def under(self, prefix):
        return Api(self.base_url, prefix)

    def raw(self, method, path, **options):
        return Answer(self.session.request(method, self.url(path), timeout=120, **options))

    def get(self, path, **query):
        return self.raw("GET", path, params=query)

    def get_with_body(self, path, body):
        return self.raw("GET", path, json=body)

    def post(self, path, body=None, **fields):
        return self.raw("POST", path, json={**(body or {}), **fields})

    def patch(self, path, body=None, **fields):
        return self.raw("PATCH", path, json={**(body or {}), **fields})

    def delete(self, path, body=None, **fields):
        return self.raw("DELETE", path, json={**(body or {}), **fields})

    def post_text(self, path, text, content_type="application/json"):
        headers = {} if content_type is None else {"Content-Type": content_type}
        return self.raw("POST", path, data=text.encode(), headers=headers)


def pairs(mapping):
    """A dict as MLflow's list of key and value objects."""
    return [{"key": key, "value": value} for key, value in mapping.items()]


def mapping(entries):
    """MLflow's list of key and value objects as a dict (absent list: empty)."""
    return {entry["key"]: entry["value"] for entry in entries or []}


def offset_token(offset):
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def token_content(token):
    return json.loads(base64.b64decode(token))


TIME_KEYS = {
    "creation_time",
    "last_update_time",
    "creation_timestamp",
    "last_updated_timestamp",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
}


def scrub(body, **names):
    """Replace server times by <time> and every given volatile value by <its name>."""
    if isinstance(body, dict):
        return {
            key: "<time>" if key in TIME_KEYS and type(value) is int else scrub(value, **names)
            for key, value in body.items()
        }
    if isinstance(body, list):
        return [scrub(item, **names) for item in body]
    if isinstance(body, str):
        for name, value in sorted(names.items(), key=lambda pair: -len(pair[1])):
            if len(value) < 6:
                if body == value:
                    return f"<{name}>"
            else:
                body = body.replace(value, f"<{name}>")
    return body


GENERATED_NAME = re.compile(r"^[a-z]+-[a-z]+-\d+$")
RUN_ID = re.compile(r"^[0-9a-f]{32}$")
MODEL_ID = re.compile(r"^m-[0-9a-f]{32}$")


STAGE_ALIASES = {"staging", "production", "archived"}


def own_aliases(version):
    """The aliases of a version besides those that mean its stage, which MLflow does not have."""
    return [alias for alias in version.get("aliases", []) if alias not in STAGE_ALIASES]


def log_runs(api, experiment, runs):
    """Make runs from {letter: (start time, metrics, params, tags, fields of create)}; return the run id by letter."""
    ids = {}
    for letter, (start, metrics, params, tags, fields) in runs.items():
        created = api.post("runs/create", experiment_id=experiment, start_time=start, **fields).ok
        ids[letter] = created["run"]["info"]["run_id"]
        api.post(
            "runs/log-batch",
            run_id=ids[letter],
            metrics=[{"key": key, "value": value, "timestamp": 1, "step": 0} for key, value in metrics.items()],
            params=pairs(params),
            tags=pairs(tags),
        ).ok
    return ids
