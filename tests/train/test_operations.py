"""The classes of the second output and the targets that training takes from them."""

from collections.abc import Callable

import pytest

from mnistsum_runtime.operations import OPERATIONS, PRODUCT, SUM, Operation

BOTH = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def test_sum_has_the_19_classes_0_to_18() -> None:
    assert SUM.classes == tuple(range(19))


def test_product_has_the_37_distinct_products_in_order() -> None:
    assert len(PRODUCT.classes) == 37
    assert PRODUCT.classes[:12] == (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
    assert PRODUCT.classes[-4:] == (63, 64, 72, 81)
    assert list(PRODUCT.classes) == sorted(set(PRODUCT.classes))


@pytest.mark.parametrize(("operation", "value_of"), [(SUM, lambda a, b: a + b), (PRODUCT, lambda a, b: a * b)])
def test_class_table_leads_to_the_value_of_every_pair(
    operation: Operation, value_of: Callable[[int, int], int]
) -> None:
    table = operation.class_table()
    for digit in range(10):
        for number in range(10):
            assert operation.classes[table[digit][number]] == value_of(digit, number)


@BOTH
def test_class_table_uses_every_class(operation: Operation) -> None:
    assert {index for row in operation.class_table() for index in row} == set(range(len(operation.classes)))


@pytest.mark.parametrize(("name", "said"), [("sum", "3 + 4 = 7"), ("product", "3 x 4 = 12")])
def test_operations_compute_what_their_names_and_symbols_say(name: str, said: str) -> None:
    operation = OPERATIONS[name]
    assert f"3 {operation.symbol} 4 = {operation.function(3, 4)}" == said
