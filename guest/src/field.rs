//! The header fields that carry context, numbered.
//!
//! The host matches names without regard to case and hands values in by number; it never learns
//! what a field means. The numbers are part of the contract (`wit/messaging.wit`, `fields`).

/// One header field, or one family of fields that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the field `name` spells out")]
pub enum Field {
    Traceparent = 0,
    Tracestate = 1,
    Baggage = 2,
    B3 = 3,
    XB3TraceId = 4,
    XB3SpanId = 5,
    XB3Sampled = 6,
    XB3Flags = 7,
    UberTraceId = 8,
    JaegerBaggage = 9,
    /// A family: `uberctx-<key>`.
    Uberctx = 10,
    XAmznTraceId = 11,
    OtTracerTraceid = 12,
    OtTracerSpanid = 13,
    OtTracerSampled = 14,
    /// A family: `ot-baggage-<key>`.
    OtBaggage = 15,
    /// A producer's hint: `Child`, `Link` or `New` (MassTransit).
    MtActivityPropagation = 16,
    /// A producer's hint: `True` starts a new trace (NServiceBus).
    StartNewTrace = 17,
}

impl Field {
    /// Every field, in the order of the numbers.
    pub const ALL: [Self; 18] = [
        Self::Traceparent,
        Self::Tracestate,
        Self::Baggage,
        Self::B3,
        Self::XB3TraceId,
        Self::XB3SpanId,
        Self::XB3Sampled,
        Self::XB3Flags,
        Self::UberTraceId,
        Self::JaegerBaggage,
        Self::Uberctx,
        Self::XAmznTraceId,
        Self::OtTracerTraceid,
        Self::OtTracerSpanid,
        Self::OtTracerSampled,
        Self::OtBaggage,
        Self::MtActivityPropagation,
        Self::StartNewTrace,
    ];

    /// The field of a number; `None` past the last.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name in lower case; of a family, its prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traceparent => "traceparent",
            Self::Tracestate => "tracestate",
            Self::Baggage => "baggage",
            Self::B3 => "b3",
            Self::XB3TraceId => "x-b3-traceid",
            Self::XB3SpanId => "x-b3-spanid",
            Self::XB3Sampled => "x-b3-sampled",
            Self::XB3Flags => "x-b3-flags",
            Self::UberTraceId => "uber-trace-id",
            Self::JaegerBaggage => "jaeger-baggage",
            Self::Uberctx => "uberctx-",
            Self::XAmznTraceId => "x-amzn-trace-id",
            Self::OtTracerTraceid => "ot-tracer-traceid",
            Self::OtTracerSpanid => "ot-tracer-spanid",
            Self::OtTracerSampled => "ot-tracer-sampled",
            Self::OtBaggage => "ot-baggage-",
            Self::MtActivityPropagation => "mt-activity-propagation",
            Self::StartNewTrace => "nservicebus.opentelemetry.startnewtrace",
        }
    }

    /// Answers whether the name is a prefix and the header's own key follows it.
    pub const fn is_family(self) -> bool {
        matches!(self, Self::Uberctx | Self::OtBaggage)
    }
}
