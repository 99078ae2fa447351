"""The sender against SiQ on PostgreSQL: the tests whose outcome the database decides, once more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import empty_database
from tests.plugins.push import test_push_brake as brake
from tests.plugins.push import test_push_command as command
from tests.plugins.push import test_push_events as events
from tests.plugins.push import test_push_faults as faults
from tests.plugins.push import test_push_full as full
from tests.plugins.push import test_push_groups as groups
from tests.website import Website, running

pytestmark = pytest.mark.thorough
arguments = command.arguments  # a fixture of one of them

AGAIN = (
    full.test_everybody_and_every_group_arrives,
    full.test_a_second_pass_changes_nothing,
    full.test_what_changed_in_aws_changes_in_siq,
    full.test_who_was_in_siq_under_the_same_name_is_adopted,
    full.test_two_people_who_swapped_their_user_names,
    full.test_somebody_deleted_and_made_anew_under_the_same_name_is_another_person,
    events.test_a_disabled_user_is_deactivated_and_an_enabled_one_active_again,
    events.test_a_group_comes_is_renamed_and_goes,
    events.test_who_joins_and_leaves_a_group,
    events.test_events_in_the_wrong_order_end_the_same,
    events.test_lost_events_are_healed_by_the_full_pass,
    events.test_somebody_who_was_faster_is_not_overwritten,
    faults.test_a_request_that_fails_is_made_again,
    groups.test_who_leaves_the_chosen_groups_is_deactivated_and_not_deleted,
    brake.test_more_than_a_fifth_at_once_wait_for_somebody_who_means_it,
    command.test_a_pass_that_is_killed_half_way_is_finished_by_the_next,
)
globals().update({test.__name__: test for test in AGAIN})


@pytest.fixture(scope="module")
def website(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    folder = tmp_path_factory.mktemp("siq")
    with empty_database("postgresql", folder) as url, running(folder, database_url=url) as site:
        assert site.services.database.engine.dialect.name == "postgresql"
        yield site
