"""Inner loop of normal equations and Cholesky factors, with its sums of products in vector registers; without Spark.

Numba does not keep a small matrix of sums in registers while it runs over the rows of a panel: it loads and stores each
of them in every step, which is four times as slow. So the loop is written in LLVM's vector types, which LLVM compiles
for any processor (K. Goto, R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008).
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from datasets.compiled import compiled

ROWS = 4
COLUMNS = 16  # of a tile: its sums fit into half of the registers of AVX2, and into four of AVX-512
_FLOAT, _INDEX = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, COLUMNS)


class _Matrix:
    """Addresses in a C-contiguous float32 matrix."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        array = context.make_array(kind)(context, builder, value)
        self._builder, self._data = builder, array.data
        self._width = builder.extract_value(array.shape, 1)

    def at(self, row: Any, column: Any) -> Any:
        """Return the address of one entry."""
        place = self._builder.add(self._builder.mul(row, self._width), column)
        return self._builder.gep(self._data, [place])

    def vector(self, row: Any, column: Any) -> Any:
        """Return the address of COLUMNS entries."""
        return self._builder.bitcast(self.at(row, column), _VECTOR.as_pointer())


def _spread(builder: Any, value: Any) -> Any:
    """Put one number into each place of a vector."""
    none = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(ir.IntType(32), 0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), COLUMNS), [0] * COLUMNS)
    return builder.shuffle_vector(first, none, places)


@intrinsic
def _add_tile(typing, matrix, panel, depth, row, column, sign):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    """Add sign * panel[:depth, row:row+ROWS]^T panel[:depth, column:column+COLUMNS] to that tile of `matrix`."""
    del typing, depth, row, column, sign
    index = types.intp
    return types.void(matrix, panel, index, index, index, types.float32), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    matrix, panel = (
        _Matrix(context, builder, kind, value)
        for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
    )
    depth, row, column, sign = arguments[2:]
    fma = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{COLUMNS}f32"
    )
    before, loop = builder.block, builder.append_basic_block("tile")
    after = builder.append_basic_block("tile.end")
    builder.branch(loop)

    builder.position_at_end(loop)
    step = builder.phi(_INDEX)
    step.add_incoming(ir.Constant(_INDEX, 0), before)
    sums = [builder.phi(_VECTOR) for _ in range(ROWS)]
    right = builder.load(panel.vector(step, column), align=4)
    added = []
    for number, total in enumerate(sums):
        left = builder.load(panel.at(step, builder.add(row, ir.Constant(_INDEX, number))))
        added.append(builder.call(fma, [_spread(builder, left), right, total]))
        total.add_incoming(ir.Constant(_VECTOR, [0.0] * COLUMNS), before)
        total.add_incoming(added[-1], loop)
    following = builder.add(step, ir.Constant(_INDEX, 1))
    step.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)

    builder.position_at_end(after)
    signs = _spread(builder, sign)
    for number, total in enumerate(added):
        place = matrix.vector(builder.add(row, ir.Constant(_INDEX, number)), column)
        builder.store(builder.call(fma, [signs, total, builder.load(place, align=4)]), place, align=4)
    return context.get_dummy_value()


@compiled
def add_products(matrix, panel, depth, sign, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Add sign * P^T P to the lower triangle of `matrix` from row and column `first` on; P is panel[:depth].

    Whole tiles are written: above the diagonal, and left of `first`, where the caller puts zeros into the panel.

    Args:
        matrix: float32 [n, n], n a multiple of COLUMNS.
        panel: float32 [at least depth, n].
        depth: rows of the panel that count, at least 1.
        sign: float32.
        first: a multiple of ROWS.
    """
    width = matrix.shape[1]
    left = first // COLUMNS * COLUMNS
    for row in range(first, width, ROWS):
        for column in range(left, row + ROWS, COLUMNS):
            _add_tile(matrix, panel, depth, row, column, sign)
