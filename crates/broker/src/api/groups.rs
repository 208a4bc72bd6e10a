//! The APIs of consumer groups.

use crate::broker::{Broker, Cx, Handled};
use crate::event::Closing;
use wire::Reader;

pub(crate) fn dispatch(_broker: &mut Broker, cx: &mut Cx<'_>, _body: Reader) -> Handled {
    Handled::Close(Closing::Unsupported {
        api_key: cx.caller.api_key,
        version: cx.caller.version,
    })
}
