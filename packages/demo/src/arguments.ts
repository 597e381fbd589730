import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"

/** What the job was asked to do. */
export interface JobArguments {
  readonly beacons: ReadonlyArray<string>
  readonly logs: ReadonlyArray<string>
  /** Whether the input is the generated sample, because there are no files. */
  readonly isSample: boolean
  readonly transport: string
  readonly config: string | undefined
  /** Times real time; `max` without any pause; `minute`: each input scaled to a minute. */
  readonly speed: number | "max" | "minute"
  readonly json: boolean
  readonly help: boolean
}

/** A wrong call: one sentence, exit code 2. */
export class Misuse extends Error {}

export const usage = `npm start -- [options]

  --beacons FILE...    beacon sightings (.mbd); default: ../shared/data/beacons, else a generated sample
  --logs FILE...       system and application logs; default: ../shared/data/logs, else a generated sample
  --transport memory   what carries the events
  --config FILE        route document (YAML or JSON) instead of packages/demo/routes/memory.yaml
  --speed max|N        as fast as it goes, or N times real time; default: everything in a lively minute
  --json               the last line of stdout is one object, and nothing else is written there
                       (npm itself greets on stdout; npm --silent start -- --json does not)
  --help               this text`

const transports = ["memory"]

/** Reads the command line; throws `Misuse`. `shared` is the folder whose data is taken by default. */
export function readArguments(args: ReadonlyArray<string>, shared: string): JobArguments {
  const { values } = parse(args)
  const { transport = "memory", config, speed, json = false, help = false } = values
  if (!transports.includes(transport))
    throw new Misuse(`--transport ${transport}: there is only ${transports.join(", ")}`)
  if (config !== undefined) requireFile("--config", config)
  const named = values.beacons !== undefined || values.logs !== undefined
  const beacons = values.beacons ?? (named ? [] : filesIn(join(shared, "beacons"), ".mbd"))
  const logs = values.logs ?? (named ? [] : filesIn(join(shared, "logs"), ".log"))
  for (const file of values.beacons ?? []) requireFile("--beacons", file)
  for (const file of values.logs ?? []) requireFile("--logs", file)
  const isSample = beacons.length + logs.length === 0
  return { beacons, logs, isSample, transport, config, speed: readSpeed(speed), json, help }
}

function parse(args: ReadonlyArray<string>) {
  try {
    return parseArgs({
      args: spread([...args]),
      strict: true,
      allowPositionals: false,
      options: {
        beacons: { type: "string", multiple: true },
        logs: { type: "string", multiple: true },
        transport: { type: "string" },
        config: { type: "string" },
        speed: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" }
      }
    })
  } catch (error) {
    const [sentence] = error instanceof Error ? error.message.split(/\.? To specify|\.$|\n/) : [String(error)]
    throw new Misuse(`${sentence ?? "wrong arguments"}; see npm start -- --help`)
  }
}

/** `--beacons a b` means `--beacons a --beacons b`: parseArgs knows only the latter. */
function spread(args: ReadonlyArray<string>): Array<string> {
  const result: Array<string> = []
  let list: string | undefined
  let isFirst = false
  for (const arg of args) {
    if (arg.startsWith("-")) {
      list = arg === "--beacons" || arg === "--logs" ? arg : undefined
      isFirst = true
      result.push(arg)
    } else {
      if (list !== undefined && !isFirst) result.push(list)
      isFirst = false
      result.push(arg)
    }
  }
  return result
}

function readSpeed(speed: string | undefined): JobArguments["speed"] {
  if (speed === undefined) return "minute"
  if (speed === "max") return "max"
  const factor = Number(speed)
  if (Number.isFinite(factor) && factor > 0) return factor
  throw new Misuse(`--speed ${speed}: it must be max or a number above 0`)
}

function requireFile(flag: string, file: string): void {
  if (!existsSync(file)) throw new Misuse(`${flag} ${file}: there is no such file`)
  if (!statSync(file).isFile()) throw new Misuse(`${flag} ${file}: that is not a file`)
}

function filesIn(folder: string, ending: string): ReadonlyArray<string> {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .toSorted()
    .map((name) => join(folder, name))
}
