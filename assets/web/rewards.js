/** The sheet of rewards: what the open tree says of each of its steps, why, and the export. */

import { Sheet } from "./sheet.js";

export class Rewards extends Sheet {
  /**
   * @param {Store} store
   * @param {object} server
   */
  constructor(store, server) {
    super("rewards", "Rewards");
    Object.assign(this, { store, server });
  }
}
