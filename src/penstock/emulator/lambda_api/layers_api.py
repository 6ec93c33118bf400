"""Operations on layers: zip files that functions have below /opt."""

from __future__ import annotations

from .control_plane import ControlPlane
from .errors import invalid, not_found
from .names import layer_arn
from .paging import page
from .records import Json, LayerRecord, timestamp


def publish_layer_version(plane: ControlPlane, request: Json) -> Json:
    """`PublishLayerVersion`."""
    content = request["Content"]
    if "ZipFile" not in content:
        raise invalid("There is no S3 here: give the layer as ZipFile (--zip-file fileb://...)")
    data: bytes = content["ZipFile"]
    name = request["LayerName"].rpartition(":")[2]
    before = plane.store.layers.get(name, LayerRecord(name))
    number = before.next_version
    version: Json = {
        "Version": number,
        "Description": request.get("Description") or "",
        "CreatedDate": timestamp(),
        "CodeSha256": plane.store.add_zip(data),
        "CodeSize": len(data),
    }
    for key in ("CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"):
        if request.get(key):
            version[key] = request[key]
    versions = {**before.versions, str(number): version}
    plane.store.save(LayerRecord(name, versions, number + 1))
    return _view(plane, name, version)


def get_layer_version(plane: ControlPlane, request: Json) -> Json:
    """`GetLayerVersion`."""
    name, number = _read(request)
    return _view(plane, name, _version(plane, name, number))


def get_layer_version_by_arn(plane: ControlPlane, request: Json) -> Json:
    """`GetLayerVersionByArn`."""
    *_, kind, name, number = request["Arn"].split(":")
    if kind != "layer":
        raise not_found("The resource you requested does not exist.")
    return _view(plane, name, _version(plane, name, int(number)))


def delete_layer_version(plane: ControlPlane, request: Json) -> None:
    """`DeleteLayerVersion`; functions that have it go on until they are updated."""
    name, number = _read(request)
    layer = plane.store.layers.get(name)
    key = str(number)
    if layer is None or key not in layer.versions:
        return
    arn = layer_arn(plane.region, name, number)
    users = [
        record.name
        for record in plane.store.functions.values()
        for version in record.versions.values()
        if any(each["Arn"] == arn for each in version.get("Layers", ()))
    ]
    if users:
        # On AWS it goes out of sight and stays with its functions.
        raise invalid(
            f"{arn} is used by {', '.join(sorted(set(users)))}; here a layer goes after the "
            "functions that have it"
        )
    versions = {each: layer.versions[each] for each in layer.versions if each != key}
    plane.store.save(LayerRecord(name, versions, layer.next_version))
    plane.sweep()


def list_layers(plane: ControlPlane, request: Json) -> Json:
    """`ListLayers`."""
    found = []
    for name, layer in sorted(plane.store.layers.items()):
        matching = [version for version in layer.versions.values() if _fits(version, request)]
        if matching:
            newest = max(matching, key=lambda version: int(version["Version"]))
            found.append(
                {
                    "LayerName": name,
                    "LayerArn": layer_arn(plane.region, name),
                    "LatestMatchingVersion": _item(plane, name, newest),
                }
            )
    return page("Layers", found, request, default=50)


def list_layer_versions(plane: ControlPlane, request: Json) -> Json:
    """`ListLayerVersions`, the newest first."""
    name = request["LayerName"].rpartition(":")[2]
    layer = plane.store.layers.get(name, LayerRecord(name))
    versions = sorted(layer.versions.values(), key=lambda each: -int(each["Version"]))
    found = [_item(plane, name, version) for version in versions if _fits(version, request)]
    return page("LayerVersions", found, request, default=50)


def _read(request: Json) -> tuple[str, int]:
    number = request["VersionNumber"]
    if number < 1:
        raise invalid("Layer Version Cannot be less than 1")
    return request["LayerName"].rpartition(":")[2], number


def _version(plane: ControlPlane, name: str, number: int) -> Json:
    layer = plane.store.layers.get(name)
    if layer is None or str(number) not in layer.versions:
        raise not_found("The resource you requested does not exist.")
    version: Json = layer.versions[str(number)]
    return version


def _fits(version: Json, request: Json) -> bool:
    return all(
        request.get(asked) is None or request[asked] in version.get(key, ())
        for asked, key in (
            ("CompatibleRuntime", "CompatibleRuntimes"),
            ("CompatibleArchitecture", "CompatibleArchitectures"),
        )
    )


def _item(plane: ControlPlane, name: str, version: Json) -> Json:
    shown = {key: value for key, value in version.items() if key not in ("CodeSha256", "CodeSize")}
    return {**shown, "LayerVersionArn": layer_arn(plane.region, name, version["Version"])}


def _view(plane: ControlPlane, name: str, version: Json) -> Json:
    stem = plane.store.zip_path(version["CodeSha256"]).name
    return {
        **_item(plane, name, version),
        "LayerArn": layer_arn(plane.region, name),
        "Content": {
            "Location": f"{plane.origin}/_penstock/code/{stem}",
            "CodeSha256": version["CodeSha256"],
            "CodeSize": version["CodeSize"],
        },
    }
