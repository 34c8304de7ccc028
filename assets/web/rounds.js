/** The sheet of rounds: learning from searches, whether it helped, and the adapters' lineage. */

import { Sheet } from "./sheet.js";

export class Rounds extends Sheet {
  /**
   * Events: "progress" (detail: a word on the round under way, "" for none).
   *
   * @param {object} server
   * @param {() => boolean} alive false once the page's element is gone
   * @param {{open: (session: string) => void, batch: (id: string) => void}} show
   */
  constructor(server, alive, show) {
    super("rounds", "Rounds");
    Object.assign(this, { server, alive, show });
  }
}
