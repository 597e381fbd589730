import type { Paint, Style } from "./colour.ts"

/** Dots of a Braille character, by column and row in its cell. */
const dots = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80]
] as const

interface Cell {
  bits: number
  mark: string | undefined
  style: Style | undefined
}

/**
 * A drawing of dots, two by four in each character cell, about as wide as high on most screens. A mark is a character of its own
 * over the dots of its cell. What lies outside is not drawn.
 */
export class Canvas {
  readonly width: number
  readonly height: number
  readonly #cells: ReadonlyArray<Cell>

  /** Size in characters. */
  constructor(width: number, height: number) {
    this.width = width
    this.height = height
    this.#cells = Array.from({ length: width * height }, () => ({ bits: 0, mark: undefined, style: undefined }))
  }

  /** A dot at x from the left, y from the top, in dots. */
  dot(x: number, y: number, style: Style): void {
    const [column, row] = [Math.round(x), Math.round(y)]
    const cell = this.#cellAt(column, row)
    if (cell === undefined) return
    cell.bits |= dots[(column & 1) as 0 | 1][(row & 3) as 0 | 1 | 2 | 3]
    cell.style = style
  }

  /** One character in the cell of that dot. */
  mark(x: number, y: number, character: string, style: Style): void {
    const cell = this.#cellAt(Math.round(x), Math.round(y))
    if (cell === undefined) return
    cell.mark = character
    cell.style = style
  }

  rows(paint: Paint): ReadonlyArray<string> {
    return Array.from({ length: this.height }, (_, row) =>
      this.#cells
        .slice(row * this.width, (row + 1) * this.width)
        .map(({ bits, mark, style }) => {
          const character = mark ?? (bits === 0 ? " " : String.fromCodePoint(0x2800 + bits))
          return style === undefined ? character : paint(style, character)
        })
        .join("")
    )
  }

  #cellAt(column: number, row: number): Cell | undefined {
    // The shifts below would make a place that is no number the first one.
    if (!Number.isFinite(column) || !Number.isFinite(row)) return undefined
    const [x, y] = [column >> 1, row >> 2]
    return x < 0 || y < 0 || x >= this.width || y >= this.height ? undefined : this.#cells[y * this.width + x]
  }
}
