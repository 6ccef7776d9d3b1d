import type Protomux from 'protomux'

/** Connections that are corked for this tick. */
const corked = new WeakSet<Protomux>()
/** Connections on which something was written in this tick by {@link corkAfterFirst}. */
const written = new WeakSet<Protomux>()

/**
 * Collects everything that is written to a connection until the microtasks of this tick are done in one
 * frame. With many calls or streams on one connection that saves an encryption and a packet for most
 * messages; it delays none past the tick.
 *
 * The receiver of a frame with several messages holds its own replies back until the handlers of those
 * messages have settled, unless they are excluded from that: see RpcAdapter.
 */
export function corkForThisTick(mux: Protomux): void {
  if (corked.has(mux)) return
  corked.add(mux)
  mux.cork()
  atEndOfTick(() => {
    corked.delete(mux)
    mux.uncork()
  })
}

/**
 * The same from the second message of a tick on. A message that stays alone is neither copied into a batch nor
 * delayed. To be called before each message.
 */
export function corkAfterFirst(mux: Protomux): void {
  if (written.has(mux)) {
    corkForThisTick(mux)
    return
  }
  written.add(mux)
  atEndOfTick(() => written.delete(mux))
}

/** Called from a microtask, nextTick runs when the whole microtask queue is empty. */
function atEndOfTick(action: () => void): void {
  process.nextTick(action)
}
