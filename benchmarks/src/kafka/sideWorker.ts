// One side of a comparison, as a process of its own: sideWorker.ts <plan as JSON>. Is asked over the channel of its parent, one thing at
// a time, and ends with it.
import type { Answer, Ask, OpenSide, Side, SidePlan, Turn } from "./Side.ts"

const plan = JSON.parse(process.argv[2] ?? "{}") as SidePlan

/** Each process loads what it measures, and nothing of the others. */
async function load(): Promise<OpenSide> {
  if (plan.side === "leat") return (await import("./LeatSide.ts")).openLeat
  if (plan.client === "kafkajs") return (await import("./KafkajsSide.ts")).openKafkajs
  return (await import("./ConfluentSide.ts")).openConfluent
}

const tell = (answer: Answer) => void process.send?.(answer)

/** What was done between start and stop. */
function stopwatch(events: number) {
  let startMs = Number.NaN
  let before = process.cpuUsage()
  let turn: Turn | undefined
  return {
    start: () => {
      startMs = performance.now()
      before = process.cpuUsage()
    },
    stop: () => {
      const { user, system } = process.cpuUsage(before)
      turn ??= { events, seconds: (performance.now() - startMs) / 1000, cpuUs: user + system }
    },
    get turn(): Turn {
      if (turn === undefined) throw new Error("the measurement did not end")
      return turn
    }
  }
}

async function answerTo(asked: Ask): Promise<Answer> {
  if (asked.ask === "open") opened = await open(plan, asked.one)
  const side = opened
  if (side === undefined) throw new Error("nothing is open")
  // What one turn leaves behind is not collected at the cost of the next.
  globalThis.gc?.()
  switch (asked.ask) {
    case "open":
      return { incarnation: side.incarnation }
    case "produce": {
      const watch = stopwatch(asked.events)
      watch.start()
      await side.produce(asked.way, asked.events)
      watch.stop()
      return { turn: watch.turn }
    }
    case "latencies":
      return { latenciesMs: await side.latencies(asked.perSecond, asked.seconds) }
    case "consume": {
      const watch = stopwatch(asked.events)
      await side.consume(asked.way, asked.group, asked.events, watch)
      return { turn: watch.turn }
    }
    case "close":
      await side.close()
      return { closed: true }
  }
}

const open = await load()
let opened: Side | undefined
process.on("message", (asked) => {
  answerTo(asked as Ask).then(tell, (error: unknown) =>
    tell({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  )
})
process.on("disconnect", () => process.exit(0))
tell({ ready: true })
