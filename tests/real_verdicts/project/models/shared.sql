select * from {{ ref("visits") }}
