import type { LedgerSnapshot } from "leat"
import { describe, expect, it } from "vitest"
import { restrictedZone } from "../src/domain/sos.ts"
import { Board } from "../src/view/Board.ts"
import { Canvas } from "../src/view/Canvas.ts"
import { coloured, plain, wantsColor } from "../src/view/colour.ts"
import { drawFloor } from "../src/view/floor.ts"
import { fits, frame } from "../src/view/frame.ts"
import type { Status } from "../src/view/Report.ts"
import { ScreenReport } from "../src/view/ScreenReport.ts"

const ledger: LedgerSnapshot = {
  streams: [{ stream: "risk.logs.line", offered: 7, admitted: 7, rejected: {}, waiting: 0, balanced: true }],
  legs: [
    {
      stream: "risk.logs.line",
      sink: "local/risk.logs.line",
      epoch: 1,
      admitted: 7,
      stored: 5,
      deadLettered: {},
      dropped: {},
      droppedMayBeStored: 0,
      queued: 1,
      inFlight: 1,
      inDoubt: 0,
      deadLettering: 0,
      fellBack: 0,
      recovered: 0,
      movedIn: 0,
      movedOut: 0,
      spilled: 0,
      balanced: true
    }
  ],
  lanes: [],
  balanced: true
}

const status = (atMs: number, stored: number): Status => ({
  atMs,
  ledger,
  streams: [{ stream: "risk.logs.line", stored }],
  groups: [{ group: "security", stream: "risk.logs.line", lag: 2 }]
})

const corner = (id: string, xM: number, yM: number) => [id, { xM, yM, zM: 1, name: id }] as const
const plan = new Map([corner("a", 1, 1), corner("b", 17, 1), corner("c", 1, 17), corner("d", 17, 17)])

describe("a canvas", () => {
  it("has eight dots in a character, and marks over them", () => {
    const canvas = new Canvas(3, 1)
    canvas.dot(0, 0, "cyan")
    canvas.dot(1, 3, "cyan")
    canvas.dot(2, 1, "cyan")
    canvas.dot(4, 0, "cyan")
    canvas.mark(5, 3, "+", "yellow")
    expect(canvas.rows(plain)).toEqual(["⢁⠂+"])
  })

  it("draws nothing outside", () => {
    const canvas = new Canvas(2, 1)
    for (const [x, y] of [
      [-1, 0],
      [0, -1],
      [4, 0],
      [0, 4],
      [Number.NaN, 0]
    ] as const)
      canvas.dot(x, y, "red")
    expect(canvas.rows(plain)).toEqual(["  "])
  })
})

describe("the floor", () => {
  it("has its sensors in the corners, the zone where it is, and the newest place of a beacon marked", () => {
    expect(restrictedZone).toMatchObject({ xMinM: 9, xMaxM: 12, yMinM: 8, yMaxM: 11 })
    const trails = new Map([
      [
        "b1",
        [
          { xM: 4.5, yM: 4.5 },
          { xM: 4.5, yM: 9 }
        ]
      ]
    ])
    // 16.5 metres on 35 dots each way, 2.12 a metre: the zone is dots 17.5 to 23.9 across and 13.3 to 19.6 down, the trail (8, 27) and (8, 17.5).
    expect(drawFloor(plan, trails, 18, 9).rows(plain)).toEqual([
      "+                +",
      "                  ",
      "                  ",
      "         ⡖⠒⠒⡆     ",
      "    ●    ⡇  ⡇     ",
      "         ⠉⠉⠉⠁     ",
      "    ⡀             ",
      "                  ",
      "+                +"
    ])
  })
})

describe("a frame", () => {
  const board = new Board()
  board.beginning = { headline: "", lines: 20, role: "alerts", plan }
  board.told(status(1000, 1))
  board.told(status(2000, 5))
  for (let times = 0; times < 3; times++) board.line("SOS", "b1 is in the plant room")
  board.line("trouble", "\u001B[31mred\u0007")
  const size = { columns: 72, rows: 20 }
  const lines = frame(board, size, plain)

  it("fills the screen exactly", () => {
    expect(lines).toHaveLength(20)
    expect(lines.map(({ length }) => length)).toEqual(Array.from({ length: 20 }, () => 72))
    for (const [columns, rows] of [
      [80, 24],
      [73, 21],
      [240, 70]
    ] as const) {
      const other = frame(board, { columns, rows }, plain)
      expect(new Set(other.map(({ length }) => length))).toEqual(new Set([columns]))
      expect(other).toHaveLength(rows)
    }
  })

  it("says what it has to say", () => {
    const beside = lines.slice(1, 6).map((line) => line.slice(26).trimEnd())
    expect(lines[0]?.trimEnd()).toBe("leat  only alerts; Ctrl-C stops")
    expect(beside).toEqual([
      "stream              stored    rate",
      "logs.line                5     2/s",
      "group                          lag",
      "security (logs.line)             2",
      ""
    ])
    expect(lines.slice(13).map((line) => line.trimEnd())).toEqual([
      "+ sensor   ● beacon   ⠒⠂ its trail   ⣏⣉⣹ plant room, where nobody may be",
      "alerts",
      "SOS x 3         b1 is in the plant room",
      "trouble         ?[31mred?",
      "",
      "ledger    7 offered, 5 stored, 0 dropped, 2 pending, balanced",
      // 72 columns less 19 of words and two brackets: a quarter of 51.
      `[${"█".repeat(12)}${"░".repeat(39)}] 25%  5 of 20 lines`
    ])
  })

  it("says in its title what is done, in 80 columns too", () => {
    const other = new Board()
    const [title] = frame(other, { columns: 80, rows: 24 }, plain)
    expect(title?.trimEnd()).toBe("leat  beacons and logs into positions and alerts; Ctrl-C stops")
  })

  it("leaves no row empty between a floor that is wide and the alerts", () => {
    const wide = new Board()
    wide.beginning = {
      headline: "",
      lines: 20,
      role: undefined,
      plan: new Map([corner("a", 1, 1), corner("b", 41, 11)])
    }
    wide.told(status(1000, 1))
    for (let alert = 0; alert < 40; alert++) wide.line("SOS", `b${alert} is in the plant room`)
    const rows = frame(wide, { columns: 160, rows: 48 }, plain).map((row) => row.trimEnd())
    expect(rows).toHaveLength(48)
    // The floor is 40.5 by 10.5 metres, and 80 columns are 160 dots: 42 dots high, which is 11 rows. The rest is for alerts.
    const legendRow = rows.findIndex((row) => row.startsWith("+ sensor"))
    expect(legendRow).toBe(1 + 11)
    expect(rows[legendRow - 1]).toMatch(/^\+/)
    expect(rows.filter((row) => row.startsWith("SOS"))).toHaveLength(48 - 5 - 11)
    expect(rows.at(-3)).toBe("SOS             b39 is in the plant room")
  })

  it("needs some room", () => {
    expect(fits(size)).toBe(true)
    expect(fits({ columns: 71, rows: 20 })).toBe(false)
    expect(fits({ columns: 72, rows: 19 })).toBe(false)
  })
})

describe("colour", () => {
  it.each([
    ["always", { NO_COLOR: "1" }, false, true],
    ["never", { FORCE_COLOR: "1" }, true, false],
    ["auto", {}, true, true],
    ["auto", {}, false, false],
    ["auto", { TERM: "dumb" }, true, false],
    ["auto", { NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    ["auto", { NO_COLOR: "" }, true, true],
    ["auto", { FORCE_COLOR: "1" }, false, true],
    ["auto", { FORCE_COLOR: "0" }, true, false]
  ] as const)("%s with %j, terminal %s: %s", (choice, environment, isTerminal, wanted) => {
    expect(wantsColor(choice, environment, isTerminal)).toBe(wanted)
  })

  it("dresses text and gives it back", () => {
    expect(coloured("red", "SOS")).toBe("\u001B[31mSOS\u001B[39m")
    expect(plain("red", "SOS")).toBe("SOS")
  })
})

/** A terminal that remembers what was written. */
class Paper {
  columns = 80
  rows = 24
  writableNeedDrain = false
  text = ""
  write(text: string): void {
    this.text += text
  }
  /** What was written since the last time. */
  take(): string {
    const { text } = this
    this.text = ""
    return text
  }
}

/** What a terminal without wrapping shows after this was written to it, as far as a screen uses it. */
function shown(
  text: string,
  { columns, rows }: { readonly columns: number; readonly rows: number }
): ReadonlyArray<string> {
  const cells = Array.from({ length: rows }, () => Array.from({ length: columns }, () => " "))
  let [row, column] = [0, 0]
  const parts = new RegExp(String.raw`${"\u001B"}\[[?\d;]*([A-Za-z])|\r\n|.`, "gsu")
  for (const [part, command] of text.matchAll(parts)) {
    if (command === "H") [row, column] = [0, 0]
    else if (command === "K") cells[row]?.fill(" ", column)
    else if (part === "\r\n") [row, column] = [row + 1, 0]
    else if (command === undefined) {
      const line = cells[row]
      if (line !== undefined) line[column] = part
      column = Math.min(column + 1, columns - 1)
    }
  }
  return cells.map((line) => line.join(""))
}

const [entering, leaving] = ["\u001B[?1049h", "\u001B[?1049l"]

describe("the screen", () => {
  it("is taken, given back, and hides no trouble", () => {
    const paper = new Paper()
    const report = new ScreenReport(paper, plain)
    report.begin({ headline: "input: a file", lines: 10, role: undefined, plan })
    expect(paper.take()).toContain(entering)
    report.trouble("the disk is full")
    report.malformed("walk.mbd:4", "2 fields")
    expect(paper.take()).toBe("")
    report.status(status(1000, 1))
    expect(paper.take()).toContain("the disk is full")
    report.close()
    const last = paper.take()
    expect(last.startsWith("\u001B[?7h\u001B[?25h\u001B[?1049l")).toBe(true)
    expect(last).toContain("trouble: the disk is full\n")
    expect(last).toContain("malformed walk.mbd:4: 2 fields\n")
    report.status(status(2000, 2))
    report.close()
    expect(paper.take()).toBe("")
  })

  it("shows every column, to the last", () => {
    const paper = new Paper()
    const report = new ScreenReport(paper, plain)
    report.begin({ headline: "", lines: 10, role: undefined, plan })
    report.status(status(1000, 5))
    const board = new Board()
    board.beginning = { headline: "", lines: 10, role: undefined, plan }
    board.told(status(1000, 5))
    expect(shown(paper.take(), paper)).toEqual(frame(board, paper, plain))
    expect(frame(board, paper, plain).at(-1)).toMatch(/ 50% {2}5 of 10 lines$/)
  })

  it("gives way to plain lines while the terminal is too small", () => {
    const paper = new Paper()
    const report = new ScreenReport(paper, plain)
    report.begin({ headline: "input: a file", lines: 10, role: undefined, plan })
    paper.rows = 10
    report.draw()
    expect(paper.take()).toContain(leaving)
    report.trouble("the disk is full")
    expect(paper.take()).toBe("trouble: the disk is full\n")
    paper.rows = 30
    report.draw()
    expect(paper.take()).toContain(entering)
  })

  it("leaves frames out when the terminal does not keep up", () => {
    const paper = new Paper()
    const report = new ScreenReport(paper, plain)
    report.begin({ headline: "", lines: 10, role: undefined, plan })
    paper.take()
    paper.writableNeedDrain = true
    report.status(status(1000, 1))
    expect(paper.take()).toBe("")
  })

  it("shows no personal data", () => {
    const paper = new Paper()
    const report = new ScreenReport(paper, plain)
    report.begin({ headline: "", lines: 10, role: undefined, plan })
    report.security({
      host: "gate",
      sourceAddress: "203.0.113.9",
      failures: 5,
      windowUs: 60_000_000n,
      atUs: 1n,
      lineRef: "a:1"
    })
    report.status(status(1000, 1))
    report.close()
    expect(paper.text).toContain("5 failed log-ins on gate")
    expect(paper.text).not.toContain("203.0.113.9")
  })
})
