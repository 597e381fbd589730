import { restrictedZone } from "../domain/sos.ts"
import type { AlertLine, Board } from "./Board.ts"
import type { Paint, Style } from "./colour.ts"
import { drawFloor } from "./floor.ts"
import { ledgerWords, printable, shortStream } from "./words.ts"

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Below this nothing can be read: plain lines do better. */
const smallest: Size = { columns: 72, rows: 20 }

/** Least number of lines of alerts under their headline. */
const alertRowsMin = 3

/** Rows of title, legend, headline of the alerts, ledger and progress. */
const fixedRows = 5

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
  const full = (...parts: ReadonlyArray<Part>) => fit(parts, columns, paint)
  const body = bodyLines(board, { columns, rows: rows - fixedRows - alertRowsMin }, paint)
  const ledger = board.status === undefined ? "" : ledgerWords(board.status.ledger)
  const alertRows = rows - fixedRows - body.length
  const alerts = board.lines.slice(-alertRows)
  return [
    full({ text: "leat", style: "bold" }, { text: `  ${title(board)}` }),
    ...body,
    full(...legend),
    full({ text: "alerts", style: "bold" }),
    ...Array.from({ length: alertRows }, (_, index) => full(...alertParts(alerts[index]))),
    full({ text: "ledger    ", style: "bold" }, { text: ledger }),
    progressLine(board, columns, paint)
  ]
}

/** The floor, and beside it the figures. Rows that the floor does not need are left to the alerts. */
function bodyLines(board: Board, { columns, rows }: Size, paint: Paint): ReadonlyArray<string> {
  const canvas = drawFloor(board.plan, board.trails, Math.floor(columns / 2), rows)
  const floor = canvas.rows(paint)
  const figures = figureLines(board)
  const besideColumns = columns - canvas.width - 2
  return Array.from({ length: Math.min(rows, Math.max(floor.length, figures.length)) }, (_, index) => {
    const row = floor[index] ?? " ".repeat(canvas.width)
    return `${row}  ${fit(figures[index] ?? [], besideColumns, paint)}`
  })
}

/** What the signs of the floor are. */
const legend: ReadonlyArray<Part> = [
  { text: "+", style: "yellow" },
  { text: " sensor   " },
  { text: "●", style: "green" },
  { text: " beacon   " },
  { text: "⠒⠂", style: "cyan" },
  { text: " its trail   " },
  { text: "⣏⣉⣹", style: "red" },
  { text: ` ${restrictedZone.name}, where nobody may be` }
]

function alertParts(line: AlertLine | undefined): ReadonlyArray<Part> {
  if (line === undefined) return []
  const { kind, text, count } = line
  const name = count === 1 ? kind : `${kind} x ${count}`
  return [{ text: name.padEnd(16), style: kinds[kind] }, { text: printable(text) }]
}

function title({ beginning: { role } }: Board): string {
  const what = role === undefined ? "beacons and logs into positions and alerts" : `only ${role}`
  return `${what}; Ctrl-C stops`
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
