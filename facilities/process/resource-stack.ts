/** Something that is opened and closed. */
export interface Resource {
  ready(): Promise<void>
  close(): Promise<void>
}

/** Opens resources one after another and closes them in the reverse order, every one of them. */
export class ResourceStack {
  readonly #opened: Resource[] = []
  #closing: Promise<void> | null = null

  /** Makes a resource ready and keeps it to be closed; also when it fails to get ready. */
  async open<R extends Resource>(resource: R): Promise<R> {
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
    if (failures.length > 0) throw failures[0]
  }
}
