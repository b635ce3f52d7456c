"""A vector of any length as chunks of one shape, of which only what is used is sent.

XLA compiles a function for one shape. So a vector is cut into chunks of `rows` times
`columns` values, value i of a chunk in row i // columns. The last one may hold fewer: it
gets as few columns as hold them, in all its rows, and is a full one with zeros beyond. Of
its words the same columns are sent. So a message is never more than a column longer than
its values.

>>> layout = Layout(rows=2, columns=4, word_rows=1)
>>> layout.take(tf.constant([1, 2, 3, 4, 5]), 0).numpy().tolist()
[[1, 2, 3, 0], [4, 5, 0, 0]]
>>> layout.cut(tf.constant([[7, 8, 9, 0]]), layout.columns_of(5, 0)).numpy().tolist()
[7, 8, 9]
"""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Layout:
    """The shapes of a chunk.

    Attributes:
      rows: Of values; each column of them becomes one of words.
      columns: Of a full chunk.
      word_rows: Of words.
    """

    rows: int
    columns: int
    word_rows: int

    @property
    def chunk_values(self) -> int:
        """The values of a full chunk."""
        return self.rows * self.columns

    def num_chunks(self, num_values: int) -> int:
        """The chunks of a vector; none of an empty one."""
        return -(-num_values // self.chunk_values)

    def num_words(self, num_values: int) -> int:
        """The words of a message."""
        full, rest = divmod(num_values, self.chunk_values)
        columns = full * self.columns + -(-rest // self.rows)
        return columns * self.word_rows

    def columns_of(self, num_values: int, chunk: tf.Tensor | int) -> tf.Tensor:
        """The columns that are used of a chunk: int32 scalar."""
        rest = num_values - tf.cast(chunk, tf.int64) * self.chunk_values
        columns = tf.minimum(-(-rest // self.rows), self.columns)
        return tf.cast(columns, tf.int32)

    def take(self, values: tf.Tensor, chunk: tf.Tensor | int) -> tf.Tensor:
        """A chunk of a vector.

        Runs on: client.

        Args:
          values: Of any dtype, [n], n known when the graph is built.
          chunk: int32 scalar, below `num_chunks`.

        Returns:
          The same dtype, [rows, columns].
        """
        begin = tf.cast(chunk, tf.int64) * self.chunk_values
        part = values[begin : begin + self.chunk_values]
        used = self.columns_of(values.shape[0], chunk)
        filled = tf.pad(part, [[0, self.rows * used - tf.size(part)]])
        return self._widened(tf.reshape(filled, [self.rows, used]), used)

    def put_together(
        self, chunk_values: tf.Tensor, num_values: int, chunk: tf.Tensor | int
    ) -> tf.Tensor:
        """The inverse of `take`.

        Args:
          chunk_values: Of any dtype, [rows, columns].
          num_values: n.
          chunk: int32 scalar.

        Returns:
          The same dtype, the vector's values from this chunk: as many as there are.
        """
        used = self.columns_of(num_values, chunk)
        rest = num_values - tf.cast(chunk, tf.int64) * self.chunk_values
        flat = tf.reshape(chunk_values[:, :used], [-1])
        return flat[: tf.minimum(rest, self.chunk_values)]

    def cut(self, words: tf.Tensor, used: tf.Tensor | int) -> tf.Tensor:
        """What is sent of a chunk: [word_rows, columns] to [word_rows * used]."""
        return tf.reshape(words[:, :used], [-1])

    def uncut(self, sent: tf.Tensor, used: tf.Tensor | int) -> tf.Tensor:
        """The inverse of `cut`, with zeros beyond."""
        return self._widened(tf.reshape(sent, [self.word_rows, used]), used)

    def _widened(self, part: tf.Tensor, used: tf.Tensor | int) -> tf.Tensor:
        rows = part.shape[0]
        wide = tf.pad(part, [[0, 0], [0, self.columns - used]])
        return tf.ensure_shape(wide, [rows, self.columns])
