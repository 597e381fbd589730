import { Command } from "effect/cli"
import { audit } from "./audit/audit.ts"
import { check } from "./contracts/check.ts"
import { gen } from "./contracts/gen.ts"
import { drop } from "./dlq/drop.ts"
import { list as listLetters } from "./dlq/list.ts"
import { replay } from "./dlq/replay.ts"
import { show } from "./dlq/show.ts"
import { list } from "./events/list.ts"
import { publish } from "./events/publish.ts"
import { tail } from "./events/tail.ts"
import { init } from "./init/init.ts"
import { doctor } from "./log/doctor.ts"
import { lag } from "./log/lag.ts"
import { ledger } from "./log/ledger.ts"
import { abort as abortMove, rollback as rollbackMove } from "./move/back.ts"
import { abandon, giveUp } from "./move/dead.ts"
import { retire as retireMove } from "./move/retire.ts"
import { pause, resume } from "./move/pause.ts"
import { plan as planMove } from "./move/plan.ts"
import { start } from "./move/start.ts"
import { status as statusOfMoves } from "./move/status.ts"
import { apply } from "./routes/apply.ts"
import { diff } from "./routes/diff.ts"
import { explain } from "./routes/explain.ts"
import { history } from "./routes/history.ts"
import { plan } from "./routes/plan.ts"
import { rollback } from "./routes/rollback.ts"
import { schema } from "./routes/schema.ts"
import { shadow } from "./routes/shadow.ts"
import { status } from "./routes/status.ts"
import { validate } from "./routes/validate.ts"
import { watch } from "./routes/watch.ts"

const contracts = Command.make("contracts").pipe(
  Command.withDescription("Event contracts: generate TypeScript from .proto files, and check how they changed"),
  Command.withSubcommands([gen, check])
)

const events = Command.make("events").pipe(
  Command.withDescription("Events of a log: list its topics, print what is in them, publish"),
  Command.withSubcommands([list, tail, publish])
)

const dlq = Command.make("dlq").pipe(
  Command.withDescription("Dead letters: list them, show one, replay them to their group, drop them"),
  Command.withSubcommands([listLetters, show, replay, drop])
)

const routes = Command.make("routes").pipe(
  Command.withDescription("Route documents: check one, explain it, and have one in force in a whole fleet"),
  Command.withSubcommands([validate, explain, schema, plan, diff, apply, status, history, rollback, watch, shadow])
)

const move = Command.make("move").pipe(
  Command.withDescription("Streams that go to another topic, cluster or broker while they are published and read"),
  Command.withSubcommands([
    planMove,
    start,
    statusOfMoves,
    pause,
    resume,
    abortMove,
    rollbackMove,
    abandon,
    giveUp,
    retireMove
  ])
)

/** The whole command line: `leat <noun> <verb>`. */
export const leat = Command.make("leat").pipe(
  Command.withDescription("The event layer between TypeScript services and the broker behind them"),
  Command.withSubcommands([contracts, events, dlq, routes, move, lag, ledger, audit, doctor, init])
)
