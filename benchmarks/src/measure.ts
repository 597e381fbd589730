import { measure as sample } from "mitata"

/** What one event costs, in one way of doing something with it. */
export interface Cost {
  readonly eventsPerSecond: number
  /** Bytes on the JavaScript heap; arenas lie outside of it and are counted by their budget. */
  readonly heapBytesPerEvent: number
  /** Processor time of the whole process, all threads. */
  readonly cpuUsPerEvent: number
}

/** Time that one measurement takes at least, in nanoseconds. */
const cpuTimeMin = 400e6

/** Runs something that does `events` events, again and again. */
export async function costOf(events: number, run: () => Promise<void> | void): Promise<Cost> {
  let runs = 0
  const before = process.cpuUsage()
  const { p50, heap } = await sample(
    async () => {
      runs++
      await run()
    },
    { heap: () => process.memoryUsage().heapUsed, min_cpu_time: cpuTimeMin, min_samples: 12 }
  )
  const { user, system } = process.cpuUsage(before)
  return {
    eventsPerSecond: (events / p50) * 1e9,
    heapBytesPerEvent: (heap?.min ?? Number.NaN) / events,
    cpuUsPerEvent: (user + system) / (runs * events)
  }
}

export function median(values: ReadonlyArray<number>): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

/** The median of each figure. */
export function medianCost(costs: ReadonlyArray<Cost>): Cost {
  return {
    eventsPerSecond: Math.round(median(costs.map((cost) => cost.eventsPerSecond))),
    heapBytesPerEvent: round(median(costs.map((cost) => cost.heapBytesPerEvent))),
    cpuUsPerEvent: round(median(costs.map((cost) => cost.cpuUsPerEvent)))
  }
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
