"""Milenage against the test sets of 3GPP TS 35.208."""

from __future__ import annotations

import pytest

from sipreplay.sip.milenage import answer, authentication_code, operator_variant

SETS = [
    # K, RAND, SQN, AMF, OP, OPc, f1, f2, f3, f4, f5
    "465b5ce8b199b49faa5f0a2ee238a6bc 23553cbe9637a89d218ae64dae47bf35 ff9bb4d0b607 b9b9"
    " cdc202d5123e20f62b6d676ac72cb318 cd63cb71954a9f4e48a5994e37a02baf 4a9ffac354dfafb3 a54211d5e3ba50bf"
    " b40ba9a3c58b2a05bbf0d987b21bf8cb f769bcd751044604127672711c6d3441 aa689c648370",
    "fec86ba6eb707ed08905757b1bb44b8f 9f7c8d021accf4db213ccff0c7f71a6a 9d0277595ffc 725c"
    " dbc59adcb6f9a0ef735477b7fadf8374 1006020f0a478bf6b699f15c062e42b3 9cabc3e99baf7281 8011c48c0c214ed2"
    " 5dbdbb2954e8f3cde665b046179a5098 59a92d3b476a0443487055cf88b2307b 33484dc2136b",
]


@pytest.mark.parametrize("values", SETS)
def test_the_functions_give_what_the_specification_prints(values: str) -> None:
    key, rand, sqn, amf, op, opc, mac, res, ck, ik, ak = (bytes.fromhex(value) for value in values.split())
    assert operator_variant(key, op) == opc
    assert authentication_code(key, opc, rand, sqn, amf) == mac
    assert answer(key, opc, rand) == (res, ck, ik, ak)
