"""Inner loop of normal equations and Cholesky factors, with its sums of products in vector registers; without Spark.

Numba does not keep a small matrix of sums in registers while it runs over the rows of a panel: it loads and stores each
of them in every step, which is four times as slow. So the loop is written in LLVM's vector types, which LLVM compiles
for any processor (K. Goto, R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008).
"""

from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from datasets.compiled import compiled

STEP = 8  # the size of a matrix is a multiple of it
ROWS = 8 if binding.get_host_cpu_features().get("avx512f") else 4
"""Rows of a tile: with 16 columns, eight need half of the 32 registers of AVX-512, four need half of the 16 of AVX2."""

_COUNTS = binding.get_default_triple().startswith(("x86_64", "i686"))
"""Other processors' counters may be read by the system alone."""

_FLOAT, _INDEX, _BYTE, _INT = ir.FloatType(), ir.IntType(64), ir.IntType(8), ir.IntType(32)


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

    def vector(self, row: Any, column: Any, vector: Any) -> Any:
        """Return the address of as many entries as a type of vector holds."""
        return self._builder.bitcast(self.at(row, column), vector.as_pointer())


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    """Put one number into each place of a vector."""
    none = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(
        first, none, ir.Constant(ir.VectorType(_INT, vector.count), [0] * vector.count)
    )


def _tile(columns: int) -> Any:
    """Return compiled code that adds sign * panel[:depth, row:row+ROWS]^T panel[:depth, column:column+columns] to that tile of a matrix."""
    vector = ir.VectorType(_FLOAT, columns)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrix, panel = (
            _Matrix(context, builder, kind, value)
            for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        depth, row, column, sign = arguments[2:]
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{columns}f32"
        )
        before, loop = builder.block, builder.append_basic_block("tile")
        after = builder.append_basic_block("tile.end")
        builder.branch(loop)

        builder.position_at_end(loop)
        step = builder.phi(_INDEX)
        step.add_incoming(ir.Constant(_INDEX, 0), before)
        sums = [builder.phi(vector) for _ in range(ROWS)]
        right = builder.load(panel.vector(step, column, vector), align=4)
        added = []
        for number, total in enumerate(sums):
            left = builder.load(panel.at(step, builder.add(row, ir.Constant(_INDEX, number))))
            added.append(builder.call(fma, [_spread(builder, left, vector), right, total]))
            total.add_incoming(ir.Constant(vector, [0.0] * columns), before)
            total.add_incoming(added[-1], loop)
        following = builder.add(step, ir.Constant(_INDEX, 1))
        step.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)

        builder.position_at_end(after)
        signs = _spread(builder, sign, vector)
        for number, total in enumerate(added):
            place = matrix.vector(builder.add(row, ir.Constant(_INDEX, number)), column, vector)
            builder.store(builder.call(fma, [signs, total, builder.load(place, align=4)]), place, align=4)
        return context.get_dummy_value()

    def tile(typing, matrix, panel, depth, row, column, sign):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
        del typing, depth, row, column, sign
        index = types.intp
        return types.void(matrix, panel, index, index, index, types.float32), generate

    return intrinsic(tile)


_wide, _narrow = _tile(16), _tile(8)


@compiled
def add_products(matrix, panel, depth, sign, first, last, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0917
    """Add sign * P^T P to the rows first to last of `matrix`, from the diagonal to column `end`; P is panel[:depth].

    Whole tiles are written, up to STEP columns left of the diagonal.

    Args:
        matrix: float32 [n, at least end].
        panel: float32 [at least depth, at least end]; may be rows of `matrix` above `first`.
        depth: rows of the panel that count, at least 1.
        sign: float32.
        first: row, a multiple of STEP.
        last: row that is not changed any more, a multiple of STEP.
        end: column, a multiple of STEP.
    """
    for row in range(first, last, ROWS):
        start = row // STEP * STEP
        if (end - start) % 16:
            _narrow(matrix, panel, depth, row, start, sign)
            start += STEP
        for column in range(start, end, 16):
            _wide(matrix, panel, depth, row, column, sign)


def _finishing(columns: int) -> Any:
    """Return compiled code that solves D^T X = B in place for the columns B of eight rows of a matrix, D being their diagonal block."""
    vector = ir.VectorType(_FLOAT, columns)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrix = _Matrix(context, builder, signature.args[0], arguments[0])
        inverse = context.make_array(signature.args[1])(context, builder, arguments[1]).data
        first, column = arguments[2:]
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{columns}f32"
        )
        numbers = [ir.Constant(_INDEX, number) for number in range(STEP)]
        rows = [builder.add(first, number) for number in numbers]
        lines = [builder.load(matrix.vector(row, column, vector), align=4) for row in rows]
        for q in range(STEP):
            scale = builder.load(builder.gep(inverse, [rows[q]]))
            lines[q] = builder.fmul(lines[q], _spread(builder, scale, vector))
            less = builder.fneg(lines[q])
            for r in range(q + 1, STEP):
                factor = _spread(builder, builder.load(matrix.at(rows[q], rows[r])), vector)
                lines[r] = builder.call(fma, [factor, less, lines[r]])
        for row, line in zip(rows, lines, strict=True):
            builder.store(line, matrix.vector(row, column, vector), align=4)
        return context.get_dummy_value()

    def finish(typing, matrix, inverse, first, column):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        del typing, first, column
        return types.void(matrix, inverse, types.intp, types.intp), generate

    return intrinsic(finish)


_finish_wide, _finish_narrow = _finishing(16), _finishing(8)


@compiled
def finish_rows(matrix, inverse, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Solve D^T X = B in place: D is the upper triangle [STEP, STEP] at row and column `first`, B all that is right of it.

    Args:
        matrix: float32 [n, n + STEP], n a multiple of STEP.
        inverse: float32 [n], of which those from `first` on are one over D's diagonal.
        first: a multiple of STEP.
    """
    start, end = first + STEP, matrix.shape[1]
    if (end - start) % 16:
        _finish_narrow(matrix, inverse, first, start)
        start += STEP
    for column in range(start, end, 16):
        _finish_wide(matrix, inverse, first, column)


@intrinsic
def _dot(typing, matrix, row, first, last, vector):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0917
    del typing, row, first, last
    kind = ir.VectorType(_FLOAT, STEP)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line = _Matrix(context, builder, signature.args[0], arguments[0])
        row, first, last = arguments[1:4]
        other = context.make_array(signature.args[4])(context, builder, arguments[4]).data
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{STEP}f32"
        )
        total = cgutils.alloca_once_value(builder, ir.Constant(kind, [0.0] * STEP))
        with cgutils.for_range_slice(builder, first, last, ir.Constant(_INDEX, STEP), _INDEX) as (column, _):
            left = builder.load(line.vector(row, column, kind), align=4)
            right = builder.load(builder.bitcast(builder.gep(other, [column]), kind.as_pointer()), align=4)
            builder.store(builder.call(fma, [left, right, builder.load(total)]), total)
        parts = builder.load(total)
        size = STEP
        while size > 1:  # halves are added, in an order that is the same everywhere
            size //= 2
            none = ir.Constant(parts.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(
                    parts, none, ir.Constant(ir.VectorType(_INT, size), list(range(at, at + size)))
                )
                for at in (0, size)
            )
            parts = builder.fadd(low, high)
        return builder.extract_element(parts, ir.Constant(_INT, 0))

    return types.float32(matrix, types.intp, types.intp, types.intp, vector), generate


@compiled
def dot(matrix, row, first, last, vector):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the product of matrix[row, first:last] and vector[first:last], float32; first and last are multiples of STEP."""
    return _dot(matrix, row, first, last, vector)


@intrinsic
def _prefetch(typing, matrix, row, column):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    del typing, row, column

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _Matrix(context, builder, signature.args[0], arguments[0]).at(*arguments[1:])
        address = builder.bitcast(place, _BYTE.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(fetch, [address, *(ir.Constant(_INT, flag) for flag in (0, 3, 1))])  # read, keep, data
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp), generate


@compiled
def prefetch(matrix, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Let the processor fetch a row of a float32 matrix into its caches meanwhile."""
    for column in range(0, matrix.shape[1], 16):  # a cache line has 64 bytes
        _prefetch(matrix, row, column)


@intrinsic
def cycles(typing):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the processor's cycle counter, 0 where a program may not read it; what a cycle is in seconds differs by processor."""
    del typing

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature, arguments
        if not _COUNTS:
            return ir.Constant(_INDEX, 0)
        read = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_INDEX, []), "llvm.readcyclecounter"
        )
        return builder.call(read, [])

    return types.int64(), generate
