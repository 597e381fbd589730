import { Console } from "effect"
import { plural } from "../outcome.ts"
import { table } from "../table.ts"
import type { Growth } from "./growth.ts"

/** What processes counted meanwhile, as tables. */
export function printGrowth({ betweenMs: [least, most], processes, silent, streams, legs }: Growth) {
  const parts: Array<string> = []
  if (streams.length > 0) {
    const rows = streams.map((row) => [row.stream, row.offered, row.admitted, row.rejected])
    parts.push(table(["STREAM", "OFFERED", "ADMITTED", "REJECTED"], rows))
  }
  if (legs.length > 0) {
    const rows = legs.map((row) => {
      const ended = row.stored + row.deadLettered + row.dropped
      const loss = ended === 0 ? "-" : `${((row.dropped / ended) * 100).toFixed(4)} %`
      return [row.sink, row.stream, row.admitted, row.stored, row.deadLettered, row.dropped, loss]
    })
    parts.push(table(["SINK", "STREAM", "ADMITTED", "STORED", "DEAD", "DROPPED", "LOSS"], rows))
  }
  const between = least === most ? seconds(least) : `${seconds(least)} to ${seconds(most)}`
  const told = most === 0 ? "" : `, ${between} seconds apart`
  const others = silent === 0 ? "" : `; ${silent} announced nothing meanwhile: look for a longer time`
  parts.push(`${plural(processes, "process", "processes")} announced${told}${others}`)
  return Console.log(parts.join("\n\n"))
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}
