// Publishes log lines through leat, one every so many milliseconds, and prints how many are stored.
//   publishSlowly.ts <directory> <events> <pause in ms>
import { setTimeout as pause } from "node:timers/promises"
import { publishLogLines } from "./logLines.ts"

const [directory = "", events = "10", pauseMs = "50"] = process.argv.slice(2)
await publishLogLines(directory, Number(events), (count) => {
  process.stdout.write(`${count}\n`)
  return pause(Number(pauseMs))
})
