/** The one transport of a cluster, whichever client it has. What is asked holds the client that it is asked of. */
import { Deferred, Effect, Exit, Scope, Stream } from "effect"
import { patienceMs } from "../../transport/contained.ts"
import { endWithin } from "../../transport/endWithin.ts"
import type { Lane, Subscription, Transport, TransportError } from "../../transport/index.ts"
import type { Client } from "./Client.ts"

/** `present`: the client that is asked now. What `first` can do they all can. */
export function facadeOf(
  { name, capabilities, topics, groups, trim }: Transport,
  present: () => Client,
  openWriter: Transport["openWriter"]
): Transport {
  const held = Effect.sync(() => {
    const client = present()
    client.hold()
    return client
  })
  const release = (client: Client) => client.release
  // A client that has lost its place may never answer.
  const now = <A>(ask: (transport: Transport) => Effect.Effect<A, TransportError>) =>
    Effect.acquireUseRelease(
      held,
      ({ transport, gone }) => Effect.raceFirst(ask(transport), Deferred.await(gone)),
      release
    )
  return {
    name,
    capabilities,
    openWriter,
    partitionsOf: (topic) => now((transport) => transport.partitionsOf(topic)),
    subscribe: (asked) => subscribed(asked, present),
    read: (...asked) =>
      Stream.unwrap(Effect.map(Effect.acquireRelease(held, release), ({ transport }) => transport.read(...asked))),
    bounds: (...asked) => now((transport) => transport.bounds(...asked)),
    ensure: (spec) => now((transport) => transport.ensure(spec)),
    ...(topics === undefined ? {} : { topics: now((transport) => transport.topics ?? topics) }),
    ...(groups === undefined
      ? {}
      : { groups: (topic: string) => now((transport) => (transport.groups ?? groups)(topic)) }),
    ...(trim === undefined
      ? {}
      : { trim: (...asked: Parameters<typeof trim>) => now((transport) => (transport.trim ?? trim)(...asked)) })
  }
}

/** Fails when the client loses its place. The scope of the caller is that of the member: what it has it drains and gives back to the client that it had. */
function subscribed(asked: Subscription, present: () => Client): Stream.Stream<Lane, TransportError, Scope.Scope> {
  const joined = Effect.suspend(() => {
    const client = present()
    const member = Scope.makeUnsafe()
    client.hold()
    // Its driver is not waited for for ever.
    const left = Effect.andThen(endWithin(Scope.close(member, Exit.void), patienceMs), client.release)
    return Effect.map(Effect.scope, (scope) => ({ client, member, scope, left })).pipe(
      Effect.tap(({ scope }) => Scope.addFinalizer(scope, left))
    )
  })
  return Stream.flatMap(Stream.fromEffect(Effect.uninterruptible(joined)), ({ client, member }) => {
    const lanes = Stream.provideService(client.transport.subscribe(asked), Scope.Scope, member)
    const pulling = Effect.map(Stream.toPull(lanes), (pull) => Effect.raceFirst(Deferred.await(client.left), pull))
    return Stream.scoped(Stream.fromPull(pulling))
  })
}
