import type { Readable, Writable } from "node:stream"
import { Context } from "effect"

/** The standard streams of one run of the command. */
export interface CommandStreams {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
}

/** What a command may know and say of the run that it is in. */
export class CommandRun extends Context.Service<
  CommandRun,
  {
    readonly stdin: () => Readable
    /** Whether the reader of the output has gone: `leat events tail | head`. */
    readonly isOutputClosed: () => boolean
    /** Declares interruption to be the way in which this command ends: its exit code is then `done`. */
    readonly endsByInterruption: () => void
  }
>()("@leat/cli/CommandRun") {}
