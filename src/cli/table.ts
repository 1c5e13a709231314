/** Columns padded to their widest cell, three spaces apart, as kubectl prints them; a row is one line, whatever is in it. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const flat = rows.map((row) => row.map((cell) => cell.replace(/\s*[\r\n]\s*/g, ' ')));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...flat.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3)))
      .join('')
      .trimEnd();
  return [line(header), ...flat.map(line)].join('\n');
}
