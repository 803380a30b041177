select organization_id, role
from app.provision_member($1, $2, $3, $4::uuid)
