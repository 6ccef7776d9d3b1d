/** Some of the configuration, as one source gives it: not checked yet. */
export interface PartialConfig {
  [key: string]: unknown
}
