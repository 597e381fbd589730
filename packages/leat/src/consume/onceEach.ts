/**
 * A handler with an inbox around it: one transaction for each call, in which the ids are recorded first, and the handler gets the events that are new.
 * Recording comes first, so that of two holders of a lane the second waits for the first, and not for its own effect.
 */
import { Cause, Clock, Effect, Exit } from "effect"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { formatEventId } from "../record/EventId.ts"
import type { Inbox } from "./Inbox.ts"
import { InboxVerdict } from "./InboxVerdict.ts"
import { PartlyFailed } from "./PartlyFailed.ts"
import type { EventBatch, Handler } from "./SourceOptions.ts"
import { TaggedError } from "../given/TaggedError.ts"

/** An inbox that does not do what it must. */
class InboxFault extends TaggedError("InboxFault")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** The same handler, which gets no event again whose effect is committed. */
export function onceEach<T>(handler: Handler<T>, inbox: Inbox, group: string): Handler<T> {
  const { onTombstone: ofOne } = handler
  const onTombstone =
    ofOne === undefined ? undefined : (info: DeliveryInfo) => once(inbox, group, [info], () => ofOne(info))
  if (handler.kind === "batch") {
    const onEvents = (events: EventBatch<T>) => {
      const infos = events.map(({ info }) => info)
      return once(inbox, group, infos, (isNew) => handler.onEvents(events.filter((_, index) => isNew[index])))
    }
    return { ...handler, onEvents, onTombstone }
  }
  const { onEvent } = handler
  return {
    ...handler,
    onEvent: (event, info) => once(inbox, group, [info], () => onEvent(event, info)),
    onTombstone
  }
}

function once(
  inbox: Inbox,
  group: string,
  infos: ReadonlyArray<DeliveryInfo>,
  handle: (isNew: ReadonlyArray<boolean>) => Effect.Effect<unknown, unknown>
): Effect.Effect<unknown, unknown> {
  return Effect.suspend(() => {
    let ended: Exit.Exit<void, unknown> | undefined
    let copies = 0
    const work = Effect.suspend(() => {
      // A store may run it again after a conflict: only the last run counts.
      ended = undefined
      return Effect.flatMap(areNew(inbox, group, infos), (isNew) => {
        copies = isNew.filter((one) => !one).length
        return copies === infos.length ? Effect.void : Effect.asVoid(handle(isNew))
      })
    }).pipe(Effect.onExit((exit) => Effect.sync(() => void (ended = exit))))
    return Effect.matchCauseEffect(inbox.transaction(work), {
      onSuccess: () => {
        if (ended === undefined) return Effect.fail(neverRun)
        if (Exit.isFailure(ended)) return Effect.failCause(ended.cause)
        return copies === 0 ? Effect.void : Effect.succeed(new InboxVerdict({ copies }))
      },
      onFailure: (cause) => {
        const own = ended !== undefined && Exit.isFailure(ended) ? ended.cause : cause
        return infos.length > 1 && Cause.squash(own) instanceof PartlyFailed
          ? Effect.fail(apart)
          : Effect.failCause(own)
      }
    })
  })
}

/** Which events are new. One without an id is: nobody could tell it from another. */
function areNew(
  inbox: Inbox,
  group: string,
  infos: ReadonlyArray<DeliveryInfo>
): Effect.Effect<ReadonlyArray<boolean>, unknown> {
  const ids = infos.flatMap(({ id }) => (id === undefined ? [] : [formatEventId(id)]))
  if (ids.length === 0) return Effect.succeed(infos.map(() => true))
  return Effect.flatMap(Clock.currentTimeMillis, (atMs) =>
    Effect.flatMap(inbox.record({ group, ids, atMs }), (answer: unknown) => {
      if (!Array.isArray(answer) || answer.length !== ids.length) return Effect.fail(notAnswered(ids.length))
      let next = 0
      return Effect.succeed(infos.map(({ id }) => id === undefined || answer[next++] === true))
    })
  )
}

/** What was committed for the others of a batch is rolled back with it: each is handled by itself, in a transaction of its own. */
const apart = new InboxVerdict({ apart: true })

const neverRun = new InboxFault({ detail: "the transaction of the inbox ended without running what it was given" })

function notAnswered(count: number): InboxFault {
  return new InboxFault({ detail: `record of the inbox has to answer with ${count} booleans, one for each id` })
}
