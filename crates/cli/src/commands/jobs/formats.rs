//! The formats with names of `flux jobs`, and of the commands that show jobs as it does.

use format::{File, Formats, Named};

const DEFAULT: &str = "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} \
    {status_abbrev:>2.2} {ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} {contextual_info}";

const LONG: Named = Named {
    name: "long",
    about: "Extended flux-jobs format string",
    text: "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} {status:>9.9} \
        {ntasks:>6} {nnodes:>6h} {t_submit!d:%b%d %R::>12} {t_remaining!F:>12h} \
        {contextual_time!F:>8h} {contextual_info}",
};

const DEPS: Named = Named {
    name: "deps",
    about: "Show job urgency, priority, and dependencies",
    text: "{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {urgency:<3} {priority:<12} \
        {state:<8.8} {dependencies}",
};

/// Of `flux jobs`.
pub const JOBS: Formats = Formats {
    named: &[
        Named {
            name: "default",
            about: "Default flux-jobs format string",
            text: DEFAULT,
        },
        Named {
            name: "cute",
            about: "Cute flux-jobs format string (default with emojis)",
            text: "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} \
                {status_emoji:>5.5} {ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} \
                {contextual_info}",
        },
        LONG,
        DEPS,
        Named {
            name: "endreason",
            about: "Show why each job became inactive",
            text: "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} \
                {status_abbrev:>2.2} {t_inactive!d:%b%d %R::>12h} {inactive_reason}",
        },
    ],
    variable: "FLUX_JOBS_FORMAT_DEFAULT",
    file: File {
        stem: "flux-jobs",
        tables: &[],
    },
    table: None,
    lists: &[],
};

/// Of `flux pgrep`, which has the formats that users made for `flux jobs` too.
pub const PGREP: Formats = Formats {
    named: &[
        Named {
            name: "default",
            about: "Default flux-pgrep format string",
            text: "{id.f58}",
        },
        Named {
            name: "full",
            about: "Full flux-pgrep format string (the default of flux-jobs)",
            text: DEFAULT,
        },
        LONG,
        DEPS,
    ],
    variable: "FLUX_PGREP_FORMAT_DEFAULT",
    ..JOBS
};
