import type { Board } from "./Board.ts"
import type { Paint, Style } from "./colour.ts"
import { drawFloor } from "./floor.ts"
import { ledgerWords, printable, shortStream } from "./words.ts"

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Below this nothing can be read: plain lines do better. */
const smallest: Size = { columns: 72, rows: 20 }

/** Lines of alerts under their headline. */
const alertRows = 4

interface Part {
  readonly text: string
  readonly style?: Style
}

const kinds = { SOS: "red", SECURITY: "yellow", trouble: "red", malformed: "dim" } as const

export function fits({ columns, rows }: Size): boolean {
  return columns >= smallest.columns && rows >= smallest.rows
}

/** The whole screen for what the board holds: exactly as many lines as it has rows. */
export function frame(board: Board, { columns, rows }: Size, paint: Paint): ReadonlyArray<string> {
  const bodyRows = rows - alertRows - 4
  // A cell is about twice as high as wide, and the floor about square.
  const floorColumns = Math.min(bodyRows * 2, Math.floor(columns / 2))
  const floor = drawFloor(board.plan, board.trails, floorColumns, bodyRows).rows(paint)
  const figures = figureLines(board)
  const besideColumns = columns - floorColumns - 2
  const body = floor.map((row, index) => `${row}  ${fit(figures[index] ?? [], besideColumns, paint)}`)
  const full = (...parts: ReadonlyArray<Part>) => fit(parts, columns, paint)
  const ledger = board.status === undefined ? "" : ledgerWords(board.status.ledger)
  const alerts = board.lines.slice(-alertRows)
  return [
    full({ text: "leat", style: "bold" }, { text: `  ${title(board)}` }),
    ...body,
    full({ text: "alerts", style: "bold" }),
    ...Array.from({ length: alertRows }, (_, index) => {
      const line = alerts[index]
      if (line === undefined) return full()
      return full({ text: line.kind.padEnd(10), style: kinds[line.kind] }, { text: printable(line.text) })
    }),
    full({ text: "ledger    ", style: "bold" }, { text: ledger }),
    progressLine(board, columns, paint)
  ]
}

function title({ beginning: { role } }: Board): string {
  const what = role === undefined ? "beacons and logs into positions and alerts" : `only ${role}`
  return `${what}; Ctrl-C stops, and the same command goes on`
}

/** Rates by stream, then lag by group. */
function figureLines({ status, rates }: Board): ReadonlyArray<ReadonlyArray<Part>> {
  const streams = (status?.streams ?? []).map(({ stream, stored }) => [
    { text: shortStream(stream).padEnd(18) },
    { text: String(stored).padStart(8) },
    { text: `${Math.round(rates.get(stream) ?? 0)}/s`.padStart(8), style: "cyan" as const }
  ])
  const groups = (status?.groups ?? []).map(({ group, stream, lag }) => [
    { text: `${group} (${shortStream(stream)})`.padEnd(26) },
    { text: String(lag).padStart(8), style: lag === 0 ? ("green" as const) : ("yellow" as const) }
  ])
  return [
    [{ text: `${"stream".padEnd(18)}${"stored".padStart(8)}${"rate".padStart(8)}`, style: "bold" }],
    ...streams,
    [{ text: `${"group".padEnd(26)}${"lag".padStart(8)}`, style: "bold" }],
    ...groups
  ]
}

function progressLine(board: Board, columns: number, paint: Paint): string {
  const total = board.beginning.lines
  const part = total === 0 ? 0 : board.done / total
  const words = ` ${Math.floor(part * 100)}%  ${board.done} of ${total} lines`
  const bar = columns - words.length - 2
  const filled = Math.floor(part * bar)
  return `[${paint("green", "█".repeat(filled))}${"░".repeat(bar - filled)}]${words}`
}

/** Exactly so many columns: what is too long is cut, what is too short is filled. */
function fit(parts: ReadonlyArray<Part>, columns: number, paint: Paint): string {
  let room = columns
  let line = ""
  for (const { text, style } of parts) {
    const shown = text.slice(0, room)
    room -= shown.length
    line += style === undefined ? shown : paint(style, shown)
  }
  return line + " ".repeat(room)
}
