import { existsSync, readdirSync, statSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"

const roles = ["publisher", "positions", "alerts"] as const
const transports = ["memory", "log"] as const
const colors = ["auto", "always", "never"] as const

/** A part of the job that runs as a process of its own. */
export type Role = (typeof roles)[number]
export type ColorChoice = (typeof colors)[number]

/** What the job was asked to do. */
export interface JobArguments {
  readonly beacons: ReadonlyArray<string>
  readonly logs: ReadonlyArray<string>
  /** Whether the input is the generated sample, because there are no files. */
  readonly isSample: boolean
  /** What the flag says; absent: what the document of `config` says, else the log. */
  readonly transport: (typeof transports)[number] | undefined
  readonly config: string | undefined
  /** Whether to begin a new run, whatever is there. */
  readonly isFresh: boolean
  readonly directory: string | undefined
  /** Whether the streams go to a second place meanwhile, and come back. */
  readonly moves: boolean
  /** Whether that is Kafka, because `KAFKA_BROKERS` says where one is. */
  readonly movesToKafka: boolean
  /** Absent: one process does all. */
  readonly role: Role | undefined
  /** Times real time; `max` without any pause; `minute`: each input scaled to a minute. */
  readonly speed: number | "max" | "minute"
  readonly color: ColorChoice
  readonly json: boolean
  readonly help: boolean
}

/** A wrong call: one sentence, exit code 2. */
export class Misuse extends Error {}

export const usage = `npm start -- [options]

  --beacons FILE...    beacon sightings (.mbd); default: ../shared/data/beacons, else a generated sample
  --logs FILE...       system and application logs; default: ../shared/data/logs, else a generated sample
  --transport log      what carries the events: log (on disk, goes on where it stopped) or memory
  --directory DIR      where the log stands; default: a folder below .leat/demo for each set of input files
  --role ROLE          only a part, with others beside it on one log: publisher, positions or alerts
  --fresh              a new run beside the one that is there; nothing is deleted
  --move               the streams go to a second log, or to Kafka where KAFKA_BROKERS is, and come back, while everything goes on
  --config FILE        route document (YAML or JSON) instead of packages/demo/routes.log.yaml
  --speed max|N        as fast as it goes, or N times real time; default: everything in a lively minute
  --color auto         auto, always or never; NO_COLOR and FORCE_COLOR are heard
  --json               the last line of stdout is one object, and nothing else is written there
                       (npm itself greets on stdout; npm --silent start -- --json does not)
  --help               this text

Ctrl-C stops it when what is under way is stored; the same command goes on from there.`

/** Reads the command line; throws `Misuse`. `shared` is the folder whose data is taken by default. */
export function readArguments(
  args: ReadonlyArray<string>,
  shared: string,
  env: Readonly<Record<string, string | undefined>> = {}
): JobArguments {
  const { values } = parse(args)
  const { config, speed, json = false, help = false, fresh: isFresh = false, move: moves = false } = values
  const transport = oneOf("--transport", transports, values.transport)
  const role = oneOf("--role", roles, values.role)
  const color = oneOf("--color", colors, values.color) ?? "auto"
  if (config !== undefined) requireFile("--config", config)
  const directory = readDirectory(values.directory)
  if (transport === "memory" && role !== undefined)
    throw new Misuse("--role needs a log that processes can share: leave --transport memory out")
  if (transport === "memory" && directory !== undefined)
    throw new Misuse("--directory is where a log stands: leave --transport memory out")
  if (moves && transport === "memory") throw new Misuse("--move goes on where it stopped: leave --transport memory out")
  if (moves && config !== undefined)
    throw new Misuse("--move has a document of its own, packages/demo/routes.move.yaml: leave --config out")
  if (moves && role !== undefined) throw new Misuse("--move is for a job in one process: leave --role out")
  if (isFresh && role !== undefined && role !== "publisher")
    throw new Misuse(`--fresh begins a run: give it to the publisher, start it first, and --role ${role} follows`)
  const named = values.beacons !== undefined || values.logs !== undefined
  const beacons = values.beacons ?? (named ? [] : filesIn(join(shared, "beacons"), ".mbd"))
  const logs = values.logs ?? (named ? [] : filesIn(join(shared, "logs"), ".log"))
  for (const file of values.beacons ?? []) requireFile("--beacons", file)
  for (const file of values.logs ?? []) requireFile("--logs", file)
  requireDifferent([...beacons, ...logs])
  const inputs = { beacons, logs, isSample: beacons.length + logs.length === 0 }
  const movesToKafka = moves && (env["KAFKA_BROKERS"] ?? "") !== ""
  const places = { transport, config, isFresh, directory, moves, movesToKafka }
  return { ...inputs, ...places, role, speed: readSpeed(speed), color, json, help }
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
        directory: { type: "string" },
        role: { type: "string" },
        config: { type: "string" },
        fresh: { type: "boolean" },
        move: { type: "boolean" },
        speed: { type: "string" },
        color: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" }
      }
    })
  } catch (error) {
    const [sentence] = error instanceof Error ? error.message.split(/\.? To specify|\.$|\n/) : [String(error)]
    throw new Misuse(`${sentence ?? "wrong arguments"}; see npm start -- --help`)
  }
}

/** `--beacons a b` means `--beacons a --beacons b`, and `--speed -1` means `--speed=-1`: parseArgs knows only the latter. */
function spread(args: ReadonlyArray<string>): Array<string> {
  const result: Array<string> = []
  let list: string | undefined
  let isFirst = false
  for (const arg of args) {
    if (/^-[\d.]/.test(arg) && result.at(-1)?.startsWith("--") === true) result.push(`${result.pop()}=${arg}`)
    else if (arg.startsWith("-")) {
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

function oneOf<const W extends string>(
  flag: string,
  words: ReadonlyArray<W>,
  given: string | undefined
): W | undefined {
  if (given === undefined) return undefined
  const found = words.find((word) => word === given)
  if (found === undefined) throw new Misuse(`${flag} ${given}: there is only ${words.join(", ")}`)
  return found
}

function readSpeed(speed: string | undefined): JobArguments["speed"] {
  if (speed === undefined) return "minute"
  if (speed === "max") return "max"
  const factor = Number(speed)
  if (Number.isFinite(factor) && factor > 0) return factor
  throw new Misuse(`--speed ${speed}: it must be max or a number above 0`)
}

function readDirectory(directory: string | undefined): string | undefined {
  if (directory === undefined) return undefined
  if (directory === "") throw new Misuse("--directory: it has no name")
  if (existsSync(directory) && !statSync(directory).isDirectory())
    throw new Misuse(`--directory ${directory}: that is not a directory`)
  return resolve(directory)
}

function requireFile(flag: string, file: string): void {
  if (!existsSync(file)) throw new Misuse(`${flag} ${file}: there is no such file`)
  if (!statSync(file).isFile()) throw new Misuse(`${flag} ${file}: that is not a file`)
}

/** Lines are known by file and number: a file that is played twice would have two lines of one name. */
function requireDifferent(files: ReadonlyArray<string>): void {
  const paths = files.map((file) => resolve(file))
  const twice = files.find((_, index) => paths.indexOf(paths[index] ?? "") !== index)
  if (twice !== undefined) throw new Misuse(`${twice}: it is named twice`)
}

function filesIn(folder: string, ending: string): ReadonlyArray<string> {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .toSorted()
    .map((name) => join(folder, name))
}
