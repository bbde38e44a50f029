/* SPDX-License-Identifier: Apache-2.0
 * What one may be permitted to do in an organization: its word in the API, the roles that have it,
 * and what it is. A service token has those that it was made with. */
#define OWNER 1
#define ADMIN 2
#define FINANCE 4
#define DEVELOPER 8
#define VIEWER 16
#define ALL (OWNER | ADMIN | FINANCE | DEVELOPER | VIEWER)
ROW(ORGANIZATION_READ, "organization.read", ALL, "See the organization, its departments and users")
ROW(ORGANIZATION_WRITE, "organization.write", OWNER | ADMIN, "Make, change and delete departments and users")
ROW(MEMBERS_READ, "members.read", OWNER | ADMIN | FINANCE, "See members, their roles, and service tokens")
ROW(MEMBERS_WRITE, "members.write", OWNER | ADMIN, "Invite, change and remove members; make and revoke service tokens")
ROW(BUDGETS_READ, "budgets.read", ALL, "See budgets, rate limits and their events")
ROW(BUDGETS_WRITE, "budgets.write", OWNER | ADMIN | FINANCE, "Make, change and delete budgets and rate limits")
ROW(KEYS_READ, "keys.read", OWNER | ADMIN | FINANCE | DEVELOPER, "See API keys and what they used")
ROW(KEYS_WRITE, "keys.write", OWNER | ADMIN | DEVELOPER, "Make, change, regenerate and revoke API keys")
ROW(QUOTAS_READ, "quotas.read", ALL, "See prepaid balances, grants and plans")
ROW(QUOTAS_WRITE, "quotas.write", OWNER | ADMIN | FINANCE, "Grant, refund, subscribe and sell")
ROW(CATALOG_READ, "catalog.read", ALL, "See models and the organization's prices")
ROW(USAGE_READ, "usage.read", ALL, "See usage records, series and reports")
ROW(USAGE_WRITE, "usage.write", OWNER | ADMIN | FINANCE, "Settle provisional records")
ROW(AUDIT_READ, "audit.read", OWNER | ADMIN | FINANCE, "See and export the audit log")
ROW(SPEND, "budget.spend", OWNER | ADMIN, "Check, reserve, deduct, release and record for the organization's scopes")
#undef OWNER
#undef ADMIN
#undef FINANCE
#undef DEVELOPER
#undef VIEWER
#undef ALL
