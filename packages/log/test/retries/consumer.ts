// Publishes so many events more, one after the other with pauses, and handles all of the group, unless it is killed before: every third event fails at its first handling, and is
// moved to a retry topic. Prints each event once its handler has ended well, as `[number, how often it was moved]`.
//   consumer.ts <directory> <first> <count>
import { log } from "@leat/log"
import { open } from "leat/promise"
import { noteContract, routesTo } from "../support/Note.ts"

const [directory = "", first = "0", count = "0"] = process.argv.slice(2)

// What is settled too early is settled soon.
const subscriptions = [{ match: { stream: "*" }, settleEvery: "10 millis" }]
const leat = await open({ source: "retries", drivers: [log], routes: { ...routesTo(directory), subscriptions } })
const notes = await leat.stream({ ...noteContract, needs: [], unordered: true })
await notes.handle(
  "g",
  ({ text }, { moves = 0 }) => {
    if (Number(text) % 3 === 0 && moves === 0) throw new RangeError("planted")
    process.stdout.write(`${JSON.stringify([Number(text), moves])}\n`)
  },
  {
    policy: [{ on: ["RangeError"], retry: { times: 0, baseMs: 10 }, then: "deadLetter" }],
    retryTopics: { delaysMs: [1000] }
  }
)
for (let index = Number(first); index < Number(first) + Number(count); index++) {
  await notes.publish({ key: `k${index % 16}`, text: String(index) })
  await new Promise((resolve) => setTimeout(resolve, 2))
}
// Until it is killed.
setInterval(() => undefined, 1000)
