import { Template } from '@huggingface/jinja'
import { StarlingError } from './errors/starling-error.js'
import type { ChatMessage } from './protocol/generation.js'

/** A piece of a prompt. */
export interface PromptPart {
  readonly text: string
  /**
   * `template`: written by the model's makers, its special tokens count. `content`: written by
   * somebody else; whatever looks like a special token in it is plain text.
   */
  readonly from: 'template' | 'content'
}

/** What a chat template refers to besides the conversation. */
export interface TemplateVariables {
  readonly bosToken: string
  readonly eosToken: string
}

/**
 * Lays a conversation out as its model was trained to read it, by the Jinja template that the model
 * brings.
 *
 * The template never sees what was said: it is rendered with a placeholder for each message, and the
 * contents take their places afterwards, as parts of their own. So a message cannot end its own turn
 * by writing the model's special tokens, whatever the template does.
 */
export class ChatPrompt {
  readonly #template: Template | null
  readonly #variables: TemplateVariables

  /**
   * @param template Jinja source; null for a model without one, whose prompt is the contents of the
   *   messages joined by newlines
   * @throws StarlingError MODEL_INVALID when the template cannot be parsed
   */
  constructor(template: string | null, variables: TemplateVariables) {
    this.#variables = variables
    try {
      this.#template = template === null ? null : new Template(template)
    } catch (cause) {
      throw new StarlingError(
        'MODEL_INVALID',
        `The model's chat template cannot be read: ${cause}`,
        {
          cause,
        },
      )
    }
  }

  /**
   * The prompt of a conversation, ending where the model's answer begins.
   *
   * @throws StarlingError INVALID_REQUEST when the template refuses the conversation, as some do
   *   when the roles do not alternate
   */
  parts(messages: readonly ChatMessage[]): PromptPart[] {
    if (this.#template === null) {
      return [{ text: messages.map(({ content }) => content).join('\n'), from: 'content' }]
    }
    let rendered: string
    try {
      rendered = this.#template.render({
        // An empty content stays empty: templates ask whether there is one.
        messages: messages.map(({ role, content }, index) => ({
          role,
          content: content === '' ? '' : `${OPEN}${index}${CLOSE}`,
        })),
        add_generation_prompt: true,
        bos_token: this.#variables.bosToken,
        eos_token: this.#variables.eosToken,
      })
    } catch (cause) {
      throw new StarlingError(
        'INVALID_REQUEST',
        `The model's chat template refuses this conversation: ${cause instanceof Error ? cause.message : cause}`,
        { cause },
      )
    }
    return rendered
      .split(PLACEHOLDER)
      .map((text, index): PromptPart => {
        // split() puts the captured index of each placeholder between the texts around it.
        if (index % 2 === 0) return { text, from: 'template' }
        return { text: messages[Number(text)]?.content ?? '', from: 'content' }
      })
      .filter(({ text }) => text !== '')
  }
}

// Private-use characters: nobody's template has them, and trimming does not remove them.
const OPEN = '\u{F0000}'
const CLOSE = '\u{F0001}'
const PLACEHOLDER = new RegExp(`${OPEN}(\\d+)${CLOSE}`, 'u')
