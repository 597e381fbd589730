import type { ServiceNames } from "./ServiceNames.ts"

/** Of the new service, and no import of this package. */
export const testRunner = "vitest"

/** Where the events of a new service go: a log on disk, which needs no broker. */
export const routes = `version: 1
clusters:
  local: { transport: "@leat/log", directory: ./data }
routes:
  - match: { stream: "*" }
    to: [{ cluster: local, topic: "{stream}" }]
`

/** Publishes some events and ends when they are stored. */
export function publisher({ name, word }: ServiceNames): string {
  return `// Publishes ten events, and ends when they are stored.
import { readFileSync } from "node:fs"
import { ledgerStore, log } from "@leat/log"
import { open } from "leat/promise"
import { ItemChanged } from "./gen/${word}/v1/item.ts"

const routes = readFileSync("routes.yaml", "utf8")
const ledger = { store: ledgerStore("./data") }
const leat = await open({ source: "${name}", routes, drivers: [log], ledger })
try {
  const items = await leat.stream(ItemChanged)
  const events = Array.from({ length: 10 }, (_, index): ItemChanged => {
    return { itemId: \`item-\${index % 3}\`, stock: BigInt(100 - index), changedBy: "jane" }
  })
  const { admitted, rejected } = await items.publishAll(events)
  for (const { index, error } of rejected) console.error(\`event \${index}: \${error.message}\`)
  console.log(\`stored \${admitted} events\`)
} finally {
  await leat.close()
}
`
}

/** Handles events until it is interrupted. */
export function consumer({ name, word }: ServiceNames): string {
  return `// Prints the events of the stream, one after the other for each item, until it is interrupted.
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { ledgerStore, log } from "@leat/log"
import { printEvent } from "leat"
import { open } from "leat/promise"
import { ItemChanged } from "./gen/${word}/v1/item.ts"

const routes = readFileSync("routes.yaml", "utf8")
const ledger = { store: ledgerStore("./data") }
const leat = await open({ source: "${name}", routes, drivers: [log], ledger })
try {
  const items = await leat.stream(ItemChanged)
  // The event is done when this returns; when it throws, the policy of the subscription decides.
  await items.handle("printer", (event, { partition, position }) => {
    console.log(\`\${partition}@\${position} \${printEvent(ItemChanged, event)}\`)
  })
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")])
} finally {
  // Drains: what was begun is finished and settled.
  await leat.close()
}
`
}

/** A test of the stream in memory: partitions, groups and redelivery are as on a broker. */
export function serviceTest({ name, word }: ServiceNames): string {
  return `import { open } from "leat/promise"
import { expect, it, onTestFinished } from "${testRunner}"
import { ItemChanged } from "../src/gen/${word}/v1/item.ts"

it("events of one item come in order, and again when the handler fails", async () => {
  const leat = await open({ source: "${name}" })
  onTestFinished(() => leat.close())
  const items = await leat.stream(ItemChanged)
  const seen: Array<bigint> = []
  let isBroken = true
  await items.handle(
    "test",
    ({ stock }) => {
      if (isBroken) {
        isBroken = false
        throw new RangeError("the first attempt fails")
      }
      seen.push(stock)
    },
    { policy: [{ on: ["RangeError"], retry: { times: 3, baseMs: 1 }, then: "halt" }] }
  )
  for (const stock of [3n, 2n, 1n]) await items.publish({ itemId: "a", stock, changedBy: "" })
  await expect.poll(() => seen).toEqual([3n, 2n, 1n])
})
`
}
