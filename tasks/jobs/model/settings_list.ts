/**
 * Settings as operators see them: each with its value, where that is from, and what it is for.
 *
 * @module
 */
import { z } from "zod";
import { type Db, row, rows } from "./rows.ts";
import { checkSetting, dropSettings, type SettingKey, settingsSchema } from "./settings.ts";

const storedSchema = z.object({
  key: z.string(),
  value: z.unknown(),
  version: z.int(),
  modified: z.string(),
});

/** A setting. */
export interface ListedSetting {
  key: SettingKey;
  value: unknown;
  default: unknown;
  /** Null where nobody has set it. */
  modified: string | null;
  description: string;
}

/** All settings in their own order. What another version wrote and this one cannot use shows as the default. */
export async function listSettings(db: Db): Promise<ListedSetting[]> {
  const stored = await rows(db, storedSchema, "select * from awx.setting");
  return Object.entries(settingsSchema.shape).map(([key, schema]) => {
    const own = stored.find((setting) => setting.key === key);
    const parsed = schema.safeParse(own?.value);
    return {
      key: key as SettingKey,
      value: parsed.success ? parsed.data : schema.parse(undefined),
      default: schema.parse(undefined),
      modified: own?.modified ?? null,
      description: schema.description ?? "",
    };
  });
}

/** Go back to the default; the caller broadcasts, as after {@link import("./settings.ts").writeSetting}. */
export async function resetSetting(db: Db, key: string): Promise<boolean> {
  checkSetting(key, settingsSchema.shape[key as SettingKey]?.parse(undefined));
  const gone = await row(db, storedSchema, "delete from awx.setting where key = $1::text returning *", [key]);
  dropSettings();
  return gone !== undefined;
}
