/** Inboxes of promise programs: a store with transactions, which keeps the ids of events beside their effects. */
import { Cause, Context, Effect, Exit } from "effect"
import { inHand, RecordDelivery } from "../consume/DeliveryInfo.ts"
import type { Forgotten, Handled, Inbox } from "../consume/Inbox.ts"
import { inboxFaults } from "../consume/inboxFaults.ts"

/**
 * A store that keeps the ids of events beside the effects of their handlers, so that each effect is there exactly once. `Tx` is what handlers get to
 * write with: a connection in a transaction, a client, whatever the store has.
 *
 * @example
 * ```ts
 * const inbox: PromiseInbox<PoolClient> = {
 *   transaction: (work) => inTransaction(pool, work),
 *   record: async (client, { group, ids, atMs }) => isNewOf(await client.query(insertIds, [group, ids, atMs])),
 *   forget: ({ group, beforeMs }) => pool.query("delete from seen where reader = $1 and at_ms < $2", [group, beforeMs])
 * }
 * ```
 */
export interface PromiseInbox<Tx> {
  /** How long an id is remembered at least, in milliseconds: a minute to ten years; seven days when absent. */
  readonly horizonMs?: number | undefined
  /**
   * Must begin a transaction, call `work` once with it, commit when that has resolved and roll back when it has rejected; and resolve after the commit,
   * reject otherwise. It is called for several events at the same time: a store with one connection lets each wait for the one before.
   */
  readonly transaction: (work: (transaction: Tx) => Promise<void>) => Promise<unknown>
  /**
   * Must keep the ids in that transaction, and answer for each in order whether it is new: false where it is there already, true for the first of two
   * that are the same. Where another transaction has the same id in its hands it must wait for that one, or reject.
   */
  readonly record: (transaction: Tx, handled: Handled) => ReadonlyArray<boolean> | Promise<ReadonlyArray<boolean>>
  /** Should delete ids that are older than the horizon. Called outside of transactions, now and then. */
  readonly forget: (forgotten: Forgotten) => unknown
}

type Call<Tx> = (transaction: Tx) => Effect.Effect<void, unknown>

/** The option that a subscription in Effect gets for the inbox of promises, and how its handlers are called. */
export interface InboxParts<Tx> {
  readonly option: { readonly inbox?: Inbox }
  readonly within: (call: Call<Tx>) => Effect.Effect<void, unknown>
}

/** Without an inbox handlers are called as they are. */
export function inboxParts<Tx>(inbox: PromiseInbox<Tx> | undefined): InboxParts<Tx> {
  // Without an inbox `Tx` is undefined.
  if (inbox === undefined) return { option: {}, within: (call) => call(undefined as Tx) }
  const within = (call: Call<Tx>) =>
    Effect.flatMap(current, (open) => (open === undefined ? Effect.die(noTransaction) : call(open.transaction as Tx)))
  // What is no inbox is refused as it is.
  if (inboxFaults(inbox).length > 0) return { option: { inbox: inbox as unknown as Inbox }, within }
  return { option: { inbox: inboxOf(inbox) }, within }
}

/** The transaction that a handler is called in. */
const current = Context.Reference<{ readonly transaction: unknown } | undefined>("leat/promise/transaction", {
  defaultValue: () => undefined
})

const noTransaction = new Error("a handler with an inbox was called outside of its transaction")

function inboxOf<Tx>(inbox: PromiseInbox<Tx>): Inbox {
  return {
    ...(inbox.horizonMs === undefined ? {} : { horizonMs: inbox.horizonMs }),
    transaction: (work) =>
      Effect.flatMap(Effect.context<never>(), (context) =>
        // A promise cannot be interrupted: its handler hears of it by its signal.
        Effect.uninterruptible(
          Effect.tryPromise({ try: () => committed(inbox, work, context), catch: (error) => error })
        )
      ),
    record: (handled) =>
      Effect.flatMap(current, (open) =>
        Effect.tryPromise({
          try: async () => inbox.record(open?.transaction as Tx, handled),
          catch: (error) => error
        })
      ),
    forget: (forgotten) =>
      Effect.tryPromise({ try: async () => void (await inbox.forget(forgotten)), catch: (error) => error })
  }
}

async function committed<Tx>(
  inbox: PromiseInbox<Tx>,
  work: Effect.Effect<void, unknown>,
  context: Context.Context<never>
): Promise<void> {
  let isDone = false
  await inbox.transaction(async (transaction) => {
    const exit = await Effect.runPromiseExitWith(context)(Effect.provideService(work, current, { transaction }))
    isDone = Exit.isSuccess(exit)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  })
  const delivery = inHand(context)
  // Whatever becomes of the fiber that waits for it.
  if (isDone && delivery instanceof RecordDelivery) delivery.hasSucceeded = true
}
