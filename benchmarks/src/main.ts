// `npm run bench -- [--json]`: figures of one run. Ratios travel between machines, absolute figures do not.
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { benchDeadSink } from "./deadSink.ts"
import type { Cost } from "./measure.ts"
import { benchPublish, type PublishFigures } from "./publish.ts"

function readArguments(): { readonly json: boolean } {
  try {
    const { values } = parseArgs({ options: { json: { type: "boolean" } }, strict: true })
    return { json: values.json === true }
  } catch (error) {
    process.stderr.write(`leat: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(2)
  }
}

function row(name: string, { eventsPerSecond, heapBytesPerEvent, cpuUsPerEvent }: Cost): string {
  const rate = Math.round(eventsPerSecond).toLocaleString("en").padStart(12)
  return `${name.padEnd(30)}${rate} events/s ${heapBytesPerEvent.toFixed(1).padStart(8)} heap bytes/event ${cpuUsPerEvent.toFixed(2).padStart(7)} us CPU/event`
}

function print(publish: PublishFigures): void {
  console.log(row("encode only", publish.encodeOnly))
  console.log(row("offer to stored", publish.offerToStored))
  console.log(row("publish(queued) to stored", publish.publishQueued))
  console.log(
    `ratio ${publish.ratio} of encoding alone (rounds: ${publish.ratios.join(", ")}); ledger ${(publish.ledgerShare * 100).toFixed(1)} %; ${publish.heapBytesBeyondCodec.toFixed(1)} heap bytes/event beyond the codec`
  )
}

const { json } = readArguments()
const publish = await benchPublish()
if (!json) print(publish)
const deadSink = await Effect.runPromise(benchDeadSink)
if (json) console.log(JSON.stringify({ publish, deadSink }))
else {
  const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
  console.log(
    `dead sink: ${deadSink.offered.toLocaleString("en")} offered, ${deadSink.dropped.toLocaleString("en")} dropped; buffer at most ${mebibytes(deadSink.bufferBytesMax)} of ${mebibytes(deadSink.budgetBytes)}, process grew by ${mebibytes(deadSink.processBytesGrown)}`
  )
}
