//! How does an examination of losses stand in a file? One key per question.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::examination::Losses;

impl Serialize for Losses {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("as_of", &self.as_of)?;
        map.serialize_entry("horizon_days", &self.horizon_days)?;
        map.serialize_entry("lapses", &self.lapses)?;
        map.serialize_entry("tuning", &self.tuning)?;
        map.serialize_entry("attrition", &self.attrition)?;
        map.serialize_entry("statuses", self.statuses.table())?;
        map.serialize_entry("profile", &self.contrast)?;
        let causes = self.reasons.as_ref().map_or(&[][..], |reasons| &reasons.causes);
        map.serialize_entry("reasons", causes)?;
        map.serialize_entry("reasons_known", &self.reasons)?;
        map.serialize_entry("systemic", self.systemic.as_ref().map_or(&[][..], |systemic| &systemic.rows))?;
        map.serialize_entry("systemic_totals", &self.systemic.as_ref().map(|systemic| systemic.totals))?;
        map.serialize_entry("drops", &self.drops.rows)?;
        map.serialize_entry("business_drop", &self.drops.business)?;
        map.serialize_entry("incidents", &self.incidents)?;
        map.serialize_entry("changes", &self.changes)?;
        map.serialize_entry("prevention", &self.prevention)?;
        map.serialize_entry("followers", &self.followers)?;
        map.serialize_entry("similar_causes", self.followers.causes())?;
        map.serialize_entry("inputs", &self.inputs)?;
        map.serialize_entry("left_out", &self.left_out)?;
        map.end()
    }
}
