/** The worker's side of an open log: serves the calls of the main thread, and runs the background work. */
import { wallMs } from "../clock.ts"
import { hostname } from "node:os"
import { type MessagePort, threadId } from "node:worker_threads"
import { type Fault, faultOf } from "../Fault.ts"
import type { Calls, CallName, LaneEvent, Reply, Request, Segment, WorkerSettings } from "../Message.ts"
import { append, pagesOfIds } from "./append.ts"
import { pathsOf } from "./tables/Directory.ts"
import { Deleting } from "./Deleting.ts"
import { GroupCommit, type Wakes } from "./GroupCommit.ts"
import { Groups } from "./groups/Groups.ts"
import { inspect } from "./inspect.ts"
import { Maintenance } from "./Maintenance.ts"
import type { Answer } from "./groups/Holding.ts"
import { Membership } from "./groups/Membership.ts"
import { positionAt, read } from "./read.ts"
import { trim } from "./retention.ts"
import { Store } from "./tables/Store.ts"
import { compareTopic } from "./tables/Topics.ts"
import { keepWriteAheadLog, missingPositions, stepOver } from "./tail.ts"
import { type Reach, WakeFile } from "./tables/WakeFile.ts"

/** Interval of the poll for commits, in milliseconds: a fallback for missed wake-ups of the wake file. */
const lookMs = 250
const lookMsWithoutWatch = 20

/** Longest wait of a close for other processes, in milliseconds; then queued works are dropped. */
const drainMs = 5000

type Handlers = {
  readonly [N in CallName]: (ask: Calls[N]["ask"], answer: Answer<Calls[N]["answer"]>) => void
}

export class LogServer {
  readonly #settings: WorkerSettings
  readonly #port: MessagePort
  readonly #store: Store
  readonly #wake: WakeFile
  readonly #commit: GroupCommit
  readonly #deleting: Deleting
  readonly #groups: Groups
  readonly #membership: Membership
  readonly #maintenance: Maintenance | undefined
  #timer: NodeJS.Timeout | undefined
  #isFollowing = false
  #isClosed = false

  /** Opens the log; throws if it cannot. */
  constructor(settings: WorkerSettings, port: MessagePort) {
    const { directory, isReadOnly, bytesMax, leaseMs } = settings
    const owner = `${hostname()}/${process.pid}/${threadId}`
    const paths = pathsOf(directory)
    this.#settings = settings
    this.#port = port
    this.#wake = new WakeFile(paths.wake)
    // Before the log is read: everything announced so far must be in it.
    const announced = this.#wake.read()
    this.#store = new Store({ paths, isReadOnly, bytesMax })
    this.#commit = new GroupCommit(this.#store, {
      before: (wakes) => this.#announce(wakes),
      after: (wakes) => this.#committed(wakes)
    })
    this.#deleting = new Deleting(this.#store, this.#commit)
    this.#groups = new Groups(this.#store)
    const tell = (event: LaneEvent) => this.#post(event)
    this.#membership = new Membership(this.#store, this.#groups, this.#commit, { leaseMs, owner, tell })
    this.#store.whenChanged = () => this.#follow()
    this.#store.quarantine.onReport(() => this.#noteDamage())
    try {
      this.#checkTail(announced)
    } catch (error) {
      this.#store.db.close()
      throw error
    }
    // Last, because it keeps the worker alive.
    this.#maintenance = isReadOnly
      ? undefined
      : new Maintenance(this.#store, this.#commit, this.#deleting, {
          ...settings,
          owner: `${owner}/${wallMs()}`,
          leaseMs
        })
  }

  receive(request: Request): void {
    const { call } = request
    const failed = (fault: Fault, mayBeStored: boolean) => this.#post({ call, fault, mayBeStored })
    const done = (answer: Calls[CallName]["answer"]) => this.#post({ call, answer }, blocksOf(answer))
    try {
      this.#handle(request, { done, failed })
    } catch (error) {
      failed(faultOf(error, this.#store.db.paths.database), false)
    }
  }

  #post(reply: Reply, transfer: Array<ArrayBuffer> = []): void {
    this.#port.postMessage(reply, transfer)
  }

  #handle(request: Request, answer: Answer<Calls[CallName]["answer"]>): void {
    // The name of a call selects its type, and the type its answer.
    const handler = this.#handlers[request.name] as (ask: Request, to: typeof answer) => void
    handler(request, answer)
  }

  readonly #handlers: Handlers = {
    open: (_, { done }) => done(null),
    partitions: ({ topic }, { done }) => {
      const found = this.#store.look(() => this.#store.topics.find(topic))
      done({ partitions: found?.partitions ?? this.#settings.partitions })
    },
    topic: ({ topic }, answer) => {
      const found = this.#store.look(() => this.#store.topics.find(topic))
      if (found !== undefined) return answer.done({ partitions: found.partitions })
      const run = () => {
        const { topics } = this.#store
        const { partitions } = topics.find(topic) ?? topics.create({ topic, partitions: this.#settings.partitions })
        return { partitions }
      }
      this.#commit.push({ wakes: "nobody", run, ...answer })
    },
    ensure: ({ spec }, answer) => {
      const run = () => {
        const { topics } = this.#store
        const found = topics.find(spec.topic)
        if (found !== undefined) return compareTopic(found, spec, this.#settings)
        return { status: "created" as const, partitions: topics.create(spec).partitions }
      }
      this.#commit.push({ wakes: "nobody", run, ...answer })
    },
    append: ({ topic, partition, bytes, deadlineMs }, answer) => {
      const run = () => append(this.#store, this.#settings, topic, partition, bytes)
      this.#commit.push({ wakes: "readers", deadlineMs, bytes: bytes.length, pages: pagesOfIds(bytes), run, ...answer })
    },
    fence: ({ topic, partition }, answer) => {
      const run = () => {
        const { topics, heads } = this.#store
        return { end: heads.get(topics.partitionOf(topics.get(topic), partition)).end }
      }
      this.#commit.push({ wakes: "nobody", run, ...answer })
    },
    bounds: ({ topic, group }, { done }) => {
      const { topics, heads } = this.#store
      done(
        this.#store.look(() => {
          const found = topics.get(topic)
          return Array.from({ length: found.partitions }, (_, number) => {
            const partition = found.firstPartition + number
            const { start, end } = heads.get(partition)
            const settled = group === undefined ? undefined : this.#groups.settled(partition, group)
            return { partition: number, start, end, ...(settled === undefined ? {} : { settled }) }
          })
        })
      )
    },
    groups: ({ topic }, { done }) => done(this.#store.look(() => this.#groups.names(this.#store.topics.get(topic)))),
    locate: ({ topic, partition, timesMs }, { done }) => {
      const { topics, heads } = this.#store
      done(
        this.#store.look(() => {
          const found = topics.partitionOf(topics.get(topic), partition)
          const positions = timesMs.map((timeMs) => positionAt(this.#store, found, timeMs))
          return { end: heads.get(found).end, positions }
        })
      )
    },
    read: ({ topic, partition, from, to }, { done }) => {
      const { topics } = this.#store
      const result = this.#store.look(() =>
        read(this.#store, topics.partitionOf(topics.get(topic), partition), from, to)
      )
      done(result ?? { segments: [], next: from })
    },
    join: (ask, answer) => {
      this.#watch()
      this.#membership.join(ask, answer)
    },
    takeNoMore: ({ subscription }, answer) => this.#membership.takeNoMore(subscription, answer),
    leave: ({ subscription }, answer) => this.#membership.leave(subscription, answer),
    pull: ({ lane, from }, answer) => this.#membership.lanes.pull(lane, from, answer),
    settle: ({ lane, position }, answer) => this.#membership.lanes.settle(lane, position, answer),
    release: ({ lane }, answer) => this.#membership.lanes.release(lane, answer),
    compact: (_, answer) => (this.#maintenance === undefined ? answer.done(null) : this.#maintenance.compact(answer)),
    trim: ({ topic, partition, before }, answer) => this.#trim(topic, partition, before, answer),
    ids: ({ topic, incarnation }, { done }) => {
      const { ids, topics } = this.#store
      done(
        this.#store.look(() => ({
          isComplete: ids.keptOf(incarnation) === "all",
          ranges: ids.of(topics.get(topic), incarnation)
        }))
      )
    },
    inspect: (_, { done }) => done(inspect(this.#store)),
    close: (_, { done }) => {
      this.#close()
      done(null)
      this.#port.close()
    }
  }

  /** One write after another, so that the works of others come in between. */
  #trim(topic: string, partition: number, before: number, { done, failed }: Answer<null>): void {
    const { topics } = this.#store
    this.#deleting.push({
      run: (rowsMax) => trim(this.#store, topics.partitionOf(topics.get(topic), partition), before, rowsMax),
      done: (rest) => (rest === undefined ? done(null) : this.#trim(topic, partition, rest, { done, failed })),
      failed
    })
  }

  /** Before any answer: a reported position must be in the wake file, or the next open could assign it again. */
  #announce(wakes: ReadonlySet<Wakes>): void {
    if (wakes.has("readers") || wakes.has("groups")) this.#wake.touch(this.#store.heads.reach())
  }

  #committed(wakes: ReadonlySet<Wakes>): void {
    if (!this.#membership.isWatching || this.#isClosed) return
    if (wakes.has("groups")) this.#follow()
    else if (wakes.has("readers")) this.#membership.lanes.serve()
  }

  /** Deferred, so that many triggers cause one run. */
  #follow(): void {
    if (this.#isFollowing || this.#isClosed || !this.#membership.isWatching) return
    this.#isFollowing = true
    setImmediate(() => {
      this.#isFollowing = false
      if (!this.#isClosed) this.#membership.follow()
    })
  }

  /** From the first member on: follows the commits of other processes, by the wake file and by polling. */
  #watch(): void {
    if (this.#timer !== undefined) return
    const isWatched = this.#wake.watch(() => this.#look())
    this.#timer = setInterval(() => this.#look(), isWatched ? lookMs : lookMsWithoutWatch)
  }

  #look(): void {
    if (this.#isClosed) return
    try {
      this.#store.look(() => undefined)
    } catch {
      // The log is busy or damaged: the calls that need it report it. The waiting pulls learn that the log is gone.
      if (this.#store.db.presence.missing() !== undefined) this.#membership.lanes.serve()
    }
  }

  #noteDamage(): void {
    const { quarantine } = this.#store
    this.#commit.push({
      wakes: "nobody",
      // The group commit saves the damage that was found.
      run: () => undefined,
      done: () => quarantine.saved(),
      failed: () => undefined
    })
  }

  /** Before any other write: reports announced commits that are missing, and skips their positions. */
  #checkTail(announced: Reach | undefined): void {
    const store = this.#store
    const missing = missingPositions(store, announced)
    if (missing === 0 || this.#settings.isReadOnly) return
    keepWriteAheadLog(store.db.paths, wallMs())
    const { lastId } = store.heads.reach()
    store.quarantine.report({ partition: -1, base: lastId, end: announced?.lastId ?? lastId, what: "tail" })
    this.#commit.push({
      wakes: "readers",
      // Another process may have done it since.
      run: () => (store.heads.reach().lastId === lastId ? stepOver(store, missing) : undefined),
      done: () => undefined,
      failed: () => undefined
    })
    // At once: no caller may be given an end that is about to move.
    this.#commit.drain(drainMs)
  }

  #close(): void {
    clearInterval(this.#timer)
    this.#membership.leaveAll()
    this.#maintenance?.close()
    this.#commit.drain(drainMs)
    this.#isClosed = true
    this.#wake.close()
    if (!this.#settings.isReadOnly) this.#store.room.keep()
    this.#store.db.close()
  }
}

/** Buffers that are transferred with an answer instead of copied. */
function blocksOf(answer: unknown): Array<ArrayBuffer> {
  if (typeof answer !== "object" || answer === null || !("segments" in answer) || !Array.isArray(answer.segments))
    return []
  return (answer.segments as ReadonlyArray<Segment>).flatMap((segment) =>
    segment.kind === "block" ? [segment.bytes.buffer] : []
  )
}
