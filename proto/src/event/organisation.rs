//! The events on an organisation's settings (accounts.md §10).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::classificator::OrganisationFlag;
use crate::id::OrganisationId;

events! {
    "organisation", owner [Organisation organisation_id];

    /// Members no longer create managed conversations by default.
    "disable_create_premium_conversations" DisableCreatePremiumConversations {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Files of managed conversations are no longer deleted after a time.
    "disable_delete_files" DisableDeleteFiles {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Members may log in with a password.
    "disable_enforce_no_password" DisableEnforceNoPassword {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Members may hide their presence.
    "disable_enforce_presence" DisableEnforcePresence {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Switch a setting of the organisation off.
    "disable_flag" DisableFlag {
        organisation_id: OrganisationId,
        flag_name: OrganisationFlag,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Members are found by the global search of people.
    "disable_hide_members" DisableHideMembers {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// No banner in conversations that are not managed.
    "disable_show_not_managed_banner" DisableShowNotManagedBanner {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// No banner in conversations that have members from outside.
    "disable_show_outside_members_banner" DisableShowOutsideMembersBanner {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Members create managed conversations by default.
    "enable_create_premium_conversations" EnableCreatePremiumConversations {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Files of managed conversations are deleted after a time.
    "enable_delete_files" EnableDeleteFiles {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Members cannot log in with a password.
    "enable_enforce_no_password" EnableEnforceNoPassword {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Members cannot hide their presence.
    "enable_enforce_presence" EnableEnforcePresence {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Switch a setting of the organisation on.
    "enable_flag" EnableFlag {
        organisation_id: OrganisationId,
        flag_name: OrganisationFlag,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Members are not found by the global search of people.
    "enable_hide_members" EnableHideMembers {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// A banner in conversations that are not managed.
    "enable_show_not_managed_banner" EnableShowNotManagedBanner {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// A banner in conversations that have members from outside.
    "enable_show_outside_members_banner" EnableShowOutsideMembersBanner {
        organisation_id: OrganisationId,
    } => {
        by: OrganisationAdmin, identifier: "organisation_id", answer: "org_header",
        others: "members of the organisation: org_header",
        refused: "403 forbidden: no admin; 430 not_found: no such organisation; 431 business_logic: it is closed",
    }

    /// Fetch what anybody may know of an organisation.
    "get" Get {
        organisation_id: OrganisationId,
    } => {
        by: Anybody, identifier: "organisation_id", answer: "org_header",
        refused: "430 not_found: no such organisation",
    }
}
