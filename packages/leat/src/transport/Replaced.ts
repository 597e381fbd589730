/**
 * Ends the membership of whoever subscribed by a client whose place another one has taken: its cluster has another section. The member joins again by
 * the new client, as after a failure that passes. Nothing is wrong, so nobody is warned.
 */
import { TransportError } from "./TransportError.ts"

export class Replaced extends TransportError {
  constructor(transport: string) {
    const detail = "its cluster has another section, and another client has taken its place"
    super({ reason: "Disconnected", transport, operation: "open", detail })
  }
}
