"""What one account cannot do to another, or to the whole server."""

import time
from collections.abc import Iterator

import httpx
import pytest

from mirliton.conference.controls import MAX_BINDINGS
from mirliton.conference.digits import BadBinding, _compiled, check_digits
from tests.calls.serving import Server


@pytest.fixture(scope="module")
def tenant(server: Server) -> Iterator[httpx.Client]:
    """The second account, logged in, with paths below it."""
    base = f"http://{server.http}/v2"
    answer = httpx.put(f"{base}/api_auth", json={"data": {"api_key": server.other_account.api_key}})
    headers = {"X-Auth-Token": answer.json()["auth_token"]}
    account = server.other_account.account_id
    with httpx.Client(base_url=f"{base}/accounts/{account}", headers=headers, timeout=30) as client:
        yield client


@pytest.mark.parametrize("realm", ["127.0.0.1", "127.0.0.1.", "10.0.0.1", "127.1", "a.localhost", "LOCALHOST."])
def test_an_account_cannot_take_calls_to_the_servers_address(tenant: httpx.Client, realm: str) -> None:
    answer = tenant.patch("", json={"data": {"realm": realm}})
    assert (answer.status_code, list(answer.json()["data"]["realm"])) == (400, ["forbidden"])


@pytest.mark.parametrize(
    "expression",
    [r"\pL{30}", r"\PL{1000}", r"[\pL\pN]" * 25, "(?:(?:.{1,30}){1,30}){1,2}", r"[^a]{500}", r"\W\D\S" * 40],
    ids=lambda expression: expression[:16],
)
def test_expressions_of_a_control_group_take_no_time_to_prepare(expression: str) -> None:
    """All that one room can have, against as many plain ones: the first try needed thousands of times as long."""

    def seconds(kind: str) -> float:
        begun = time.process_time()
        for number in range(MAX_BINDINGS):
            try:
                check_digits(f"~{kind}{number}")
            except BadBinding:
                continue
        return time.process_time() - begun

    assert seconds(expression) < 0.5 + seconds("[1-9][0-9]*#")


def test_an_expression_that_cannot_be_used_is_judged_once() -> None:
    refused = "~(?:(?:[1-3]{1,30}){1,30}){1,3}"
    judged = []
    for _ in range(2):
        with pytest.raises(BadBinding, match="cannot be used"):
            check_digits(refused)
        judged.append(_compiled.cache_info().misses)
    assert judged[0] == judged[1]
