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
def test_class_table_does_not_depend_on_the_order_of_the_operands(operation: Operation) -> None:
    table = operation.class_table()
    assert table == [list(column) for column in zip(*table, strict=True)]


@BOTH
def test_class_table_uses_every_class(operation: Operation) -> None:
    assert {index for row in operation.class_table() for index in row} == set(range(len(operation.classes)))


def test_operations_are_found_by_their_own_name() -> None:
    assert {name: operation.name for name, operation in OPERATIONS.items()} == {"sum": "sum", "product": "product"}
