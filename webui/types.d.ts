// Types of the daemon's responses, from its OpenAPI document (/api/v1/openapi.json). Browsers never get this file.

export interface UserRef { username: string; full_name: string; avatar_url: string | null }
export type Role = "viewer" | "streamer" | "owner";
export type Standing = "active" | "pending" | "suspended";
export interface User extends UserRef {
  bio: string; role: Role; created_at: string; followers: number; following: number; streams: number;
  live_stream: string | null;
  /** null: without a login, and for the user's own account. */
  is_following: boolean | null;
}
export interface Me extends User { email: string; standing: Standing; unread_notifications: number }
/** An account as the owner sees it. */
export interface Account extends UserRef { email: string; role: Role; standing: Standing; created_at: string; has_ingest_key: boolean }
/** A followed user. */
export interface Subscription extends UserRef { live_stream: string | null }
export interface LoginAnswer { access_token: string; expires_in: number; user: Me }
export type Scope = "read" | "chat" | "go-live" | "manage" | "watch";
export interface ApiToken { id: string; name: string; scopes: Scope[]; created_at: string; expires_at: string | null; last_used_at: string | null }
export interface MadeApiToken extends ApiToken { token: string }
export type WebhookEvent = "stream.started" | "stream.ended" | "recording.ready" | "relay.failed" | "camera.fault" | "storage.low" | "chat.message";
export interface Webhook { id: string; url: string; events: WebhookEvent[]; enabled: boolean; created_at: string }
export interface MadeWebhook extends Webhook { secret: string }
export interface WebhookDelivery {
  id: string; event: WebhookEvent | "test"; state: "waiting" | "delivered" | "failed"; created_at: string; tries: number; tried_at: string | null;
  status: number | null; detail: string | null; next_in_seconds: number | null;
}
export interface Session { id: string; label: string; opened_at: string; refreshed_at: string; expires_at: string; is_current: boolean }

export interface Topic { id: string; name: string }
export type EndReason = "user" | "owner" | "duration" | "button" | "shutdown" | "disk" | "interruption";
export type Reaction = "like" | "dislike" | "none";
export interface Stream {
  id: string; title: string; description: string; topics: Topic[]; user: UserRef; camera: string;
  width: number; height: number; fps: number; bitrate_kbps: number; duration_seconds: number | null; record: boolean;
  visibility: "public" | "members"; state: "starting" | "live" | "interrupted" | "ended"; end_reason: EndReason | null;
  created_at: string; live_at: string | null; ended_at: string | null; elapsed_seconds: number;
  views: number; viewers: number; peak_viewers: number; likes: number; dislikes: number;
  my_reaction: Reaction | null; saved: boolean | null; thumbnail_url: string | null; playlist_url: string | null; may_edit: boolean;
  relays: string[]; featured: "chosen" | "pinned" | null; recording: StreamRecording | null;
  /** In words: what keeps viewers from seeing it, slows it, or keeps it from being recorded; null for those who cannot change that. */
  detail: string | null;
}
/** What is kept of a stream, in short. */
export interface StreamRecording { duration_seconds: number; bytes: number; is_growing: boolean; pinned: boolean; playlist_url: string }
/** The same moment in a recording and in its stream. */
export interface TimelinePoint { at_seconds: number; offset_seconds: number }
export interface Recording {
  stream: string; title: string; user: UserRef; visibility: "public" | "members"; started_at: string; is_date_provisional: boolean;
  duration_seconds: number; bytes: number; is_growing: boolean; pinned: boolean; name: string; trouble: string | null;
  playlist_url: string; download_url: string; may_edit: boolean;
}
export interface RecordingDetails extends Recording { codecs: string | null; thumbnails_url: string | null; timeline: TimelinePoint[] }
export interface Storage {
  folder: string; total_bytes: number | null; free_bytes: number | null; used_bytes: number; recordings: number; budget_bytes: number | null;
  keep_free_bytes: number; keep_days: number | null; written_bytes_per_hour: number | null; written_bytes_per_day: number; keeps_days: number | null;
  goes_next: { stream: string; name: string; bytes: number; started_at: string } | null; trouble: string | null;
  disk: Disk | null;
}
/** What the kernel tells of the disk that recordings lie on. */
export interface Disk {
  name: string; kind: "sd_card" | "emmc" | "disk"; model: string | null; made: string | null; life_used_percent: number | null;
  spare: "normal" | "low" | "urgent" | null; is_read_only: boolean; failed_commands: number | null; file_system_errors: number | null;
  written_bytes_per_day: number | null;
}

/** How a stream is sent on to a server. */
export interface RelayedStream {
  stream: string; state: "connecting" | "live" | "retrying" | "refused" | "ended"; detail: string | null; retry_in_seconds: number | null;
  kbps: number | null; acknowledged_seconds_ago: number | null; dropped: number; dropped_seconds_ago: number | null; connections: number; sent_bytes: number;
}
/** What a relay's server will refuse, or needs to be known of it. */
export interface Preflight { relay: string; findings: { severity: "refused" | "note"; detail: string }[] }
export interface Relay { name: string; url: string; configured: boolean; has_key: boolean; cameras: string[]; streams: RelayedStream[] }

/** What a stream from another program is begun with. */
export interface PreparedStream { title: string; description: string; topics: string[]; visibility: "public" | "members"; record: boolean; relays: string[] }
export interface Ingest { enabled: boolean; address: string; tls_address: string | null; key: string | null; prepared: PreparedStream; usual_title: string }

/** HTTPS, and Perch's own authority. */
export interface Https {
  source: "off" | "files" | "own"; address: string | null; trust_address: string; redirect: boolean; names: string[]; expires_at: string | null;
  authority: { name: string; fingerprint: string; uncovered: string[] } | null;
}

export interface Camera {
  name: string; state: "starting" | "live" | "waiting" | "stopped";
  /** In words: what is missing, or keeps some viewers from seeing it, with the way out; empty when all is well. */
  detail: string;
  camera: string | null; encoder: string | null; width: number | null; height: number | null; frames_per_second: number | null;
  /** What runs, in words. */
  chosen: string | null;
  /** Why not something else. */
  reasons: string[];
  id?: string; stream?: string | null; user?: UserRef | null;
}
export interface Mode { width: number; height: number; frames_per_second: number[] }
/** `modes` are the sizes offered, even if a camera supports others between them. */
export interface Ability { modes: Mode[]; bitrate_kbps: { min: number; max: number } }
export interface Control {
  id: string; name: string; kind: "integer" | "boolean" | "menu" | "button"; value: number | null; min: number; max: number; step: number;
  default: number; items: { value: number; name: string }[];
  read_only: boolean;
  /** Without effect now, mostly because an automatic mode is on. */
  inactive: boolean;
}
/** Levels in dBFS, −96 for silence; null while there is no microphone. */
export interface Microphone {
  muted: boolean; gain_db: number; device: string | null; format: string | null; detail: string; drift_ppm: number | null;
  peak_dbfs: number | null; rms_dbfs: number | null; mended: number;
}
export interface CameraDetails extends Camera { ability: Ability | null; controls?: Control[]; microphone?: Microphone }

export interface System {
  time: string; warnings: string[];
  /** The rest is for the owner. */
  version?: string; uptime_seconds?: number; chooses_wifi?: boolean; takes_updates?: boolean; temperature_celsius?: number | null;
  model?: string | null; host_name?: string | null; board_uptime_seconds?: number | null;
  power?: { under_voltage: boolean; under_voltage_occurred: boolean; throttled: boolean; throttled_occurred: boolean } | null;
  disk?: { total_bytes: number; free_bytes: number } | null;
  memory?: { total_bytes: number; available_bytes: number; daemon_bytes: number | null } | null;
  load?: [number, number, number] | null;
  addresses?: { interface: string; address: string }[];
}
/** An uploaded and checked backup. */
export interface TakenIn { id: string; site_name: string; users: number; streams: number; messages: number; has_sealed_keys: boolean }
export interface Update {
  state: "idle" | "arriving" | "installing" | "restarting" | "trial" | "kept" | "refused" | "older" | "left";
  /** Why it was refused. */
  problem: string | null;
}
export interface WifiNetwork { ssid: string; signal_percent: number; secured: boolean; joinable: boolean }
export interface Wifi {
  state: "access_point" | "joining" | "joined" | "idle"; ssid: string | null;
  /** Why the last network could not be joined. */
  problem: string | null;
  networks: WifiNetwork[]; address: string;
  /** On the access point of a board without an owner. */
  setup_code: string | null;
}
export interface Settings {
  site_name: string; registration: "open" | "approval" | "closed"; ingest: boolean; needs_setup: boolean; new_user_role?: "viewer" | "streamer";
  retention: Retention;
}
/** Days that things are kept, 0 for ever. */
export interface Retention { unrecorded_stream_days: number; chat_days: number; notification_days: number; restriction_days: number; login_days: number }

export interface Message { id: string; user: UserRef | null; text: string; offset_seconds: number; sent_at: string; deleted: boolean }
export interface ChatRules { slow_mode_seconds: number; followers_only: boolean; members_only: boolean }
/** What holds for the reader of a chat. */
export interface Barred { severity: "mute" | "ban"; scope: "stream" | "chats" | "everywhere"; until: string | null }
/** `room` says where to lift it: `/users/{username}/restrictions/{room}`. */
export interface Restriction extends Barred { user: UserRef; at: string; room: string; stream: { id: string; title: string } | null; streamer: UserRef | null }
export interface Notification {
  id: string; at: string; read: boolean; kind: "went_live" | "followed" | "account_waiting" | "stream_stopped" | "recording_paused" | "recording_went_on"; by: UserRef | null;
  stream: { id: string; title: string } | null; reason: EndReason | RecordingTrouble | null;
}
export type RecordingTrouble = "no_room" | "read_only" | "missing" | "not_allowed" | "failing";
export interface List<T> { items: T[]; next_cursor: string | null }
