import { StarlingError } from '../../helpers/errors/starling-error.js'

/** Something that is opened and closed. */
export interface Resource {
  ready(): Promise<void>
  close(): Promise<void>
}

/** Opens resources one after another and closes them in the reverse order, every one of them. */
export class ResourceStack {
  readonly #opened: Resource[] = []
  #closing: Promise<void> | null = null
  #isClosed = false

  /**
   * Opens a resource. It is closed with the stack, even if it fails to open.
   *
   * @throws StarlingError DRAINING if the stack is closed, because the resource would never be closed
   */
  async open<R extends Resource>(resource: R): Promise<R> {
    if (this.#isClosed) throw new StarlingError('DRAINING', 'The worker is shutting down')
    this.#opened.push(resource)
    await resource.ready()
    return resource
  }

  /** Later calls wait for the first. @throws the first failure, after everything was closed */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = []
    for (;;) {
      const resource = this.#opened.pop()
      if (resource === undefined) break
      try {
        await resource.close()
      } catch (error) {
        failures.push(error)
      }
    }
    this.#isClosed = true
    if (failures.length > 0) throw failures[0]
  }
}
