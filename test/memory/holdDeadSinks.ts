// Publishes 10,000 events a second while all but one of the stream's clusters are dead: for so many minutes, and for five times as many on
// virtual time. The process stays within one and a half times the budgets, and every event is accounted for. Exit code 0: so it was; 3: it
// was not, and the last line says what.
//   node --expose-gc --conditions=@leat/source test/memory/holdDeadSinks.ts [minutes] [seed] [virtual minutes] [MiB of a buffer] [mutant]
import { mutantCalled, plantInProcess } from "../../packages/leat/test/mutants/plant.ts"

const minutes = Number(process.argv[2] ?? 1)
const seed = Number(process.argv[3] ?? 1)
const virtualMinutes = Number(process.argv[4] ?? minutes * 5)
/** Smaller on virtual time, because each letter is some steps of the scheduler. */
const realBytes = 16 * 1024 * 1024
const virtualBytes = Number(process.argv[5] ?? 4) * 1024 * 1024
/** On virtual time 200 milliseconds between two looks take no time, and a collection of everything takes 30 of the machine. */
const virtualLooksPerCollection = 4
const mutant = process.argv[6]
if (mutant !== undefined) plantInProcess(mutantCalled(mutant))

// After the hook: static imports would load the sources before it.
const { Effect, Exit, References } = await import("effect")
const { simulate } = await import("leat/testing")
const { withDeadSinks } = await import("./deadSinks.ts")

const quietly = (after: number, bytes: number, looksPerCollection = 1) =>
  Effect.provideService(withDeadSinks(after * 60, bytes, looksPerCollection), References.MinimumLogLevel, "None")
const real = minutes === 0 ? undefined : await Effect.runPromise(quietly(minutes, realBytes))
const { exit } = simulate(seed, quietly(virtualMinutes, virtualBytes, virtualLooksPerCollection))
if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
const violations = [real, exit.value].flatMap((report) => report?.violations ?? [])
const report = { minutes, virtualMinutes, seed, ...(real === undefined ? {} : { real }), simulated: exit.value }
process.stdout.write(
  `${JSON.stringify(violations.length === 0 ? report : { ...report, violation: violations.join("; ") })}\n`
)
process.exitCode = violations.length === 0 ? 0 : 3
