using System.Text.Json;

namespace Virtigo.Images;

/// <summary>The software of an image as CycloneDX 1.5 in JSON.</summary>
internal static class CycloneDxDocument
{
    public static void Write(Utf8JsonWriter json, ImageManifest manifest)
    {
        var bill = new BillOfMaterials(manifest);
        var names = new Names();
        string root = names.Take("image:" + manifest.Key);
        string[] packages = [.. bill.Packages.Select(one => names.Take(bill.UrlOf(one.Package)))];

        json.WriteStartObject();
        json.WriteString("$schema", "http://cyclonedx.org/schema/bom-1.5.schema.json");
        json.WriteString("bomFormat", "CycloneDX");
        json.WriteString("specVersion", "1.5");
        json.WriteString("serialNumber", $"urn:uuid:{bill.Id:D}");
        json.WriteNumber("version", 1);
        Metadata(json, bill, root);
        json.WriteStartArray("components");
        foreach ((BilledPackage one, string name) in bill.Packages.Zip(packages))
        {
            Component(json, "library", name, one.Package.Name, one.Package.Version, null, bill.UrlOf(one.Package), one.File?.Sha256, one.File?.Url);
        }

        foreach (ImageComponent one in bill.Components)
        {
            string url = bill.UrlOf(one);
            Component(json, "application", names.Take("installer:" + url), one.Name, one.Version, "excluded", url, one.Sha256, null,
                ("virtigo:installer:provenance", one.Provenance));
        }

        foreach (ImageMaterial one in bill.Files)
        {
            Component(json, "file", names.Take("material:" + one.Sha256), BillOfMaterials.FileName(one.Url), null, "excluded", null, one.Sha256, one.Url,
                ("virtigo:verified", one.Verified));
        }

        json.WriteEndArray();
        json.WriteStartArray("dependencies");
        json.WriteStartObject();
        json.WriteString("ref", root);
        json.WriteStartArray("dependsOn");
        foreach (string name in packages)
        {
            json.WriteStringValue(name);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Metadata(Utf8JsonWriter json, BillOfMaterials bill, string root)
    {
        json.WriteStartObject("metadata");
        json.WriteString("timestamp", bill.Created);
        json.WriteStartObject("tools");
        json.WriteStartArray("components");
        json.WriteStartObject();
        json.WriteString("type", "application");
        json.WriteString("name", "virtigo");
        json.WriteString("version", bill.ToolVersion);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WritePropertyName("component");
        Component(json, "operating-system", root, bill.Manifest.Name, bill.Manifest.Key[..12], null, null, bill.Manifest.Disk.Sha256, null,
            ("virtigo:distribution", bill.Shape.Distribution), ("virtigo:release", bill.Shape.Release), ("virtigo:disk:format", bill.Manifest.Disk.Format));
        json.WriteEndObject();
    }

    private static void Component(
        Utf8JsonWriter json, string type, string reference, string name, string? version, string? scope, string? url, string? sha256, string? address,
        params (string Name, string Value)[] properties)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteString("bom-ref", reference);
        json.WriteString("name", name);
        if (version is not null)
        {
            json.WriteString("version", version);
        }

        if (scope is not null)
        {
            json.WriteString("scope", scope);
        }

        if (sha256 is not null)
        {
            json.WriteStartArray("hashes");
            json.WriteStartObject();
            json.WriteString("alg", "SHA-256");
            json.WriteString("content", sha256);
            json.WriteEndObject();
            json.WriteEndArray();
        }

        if (url is not null)
        {
            json.WriteString("purl", url);
        }

        if (address is not null)
        {
            json.WriteStartArray("externalReferences");
            json.WriteStartObject();
            json.WriteString("type", "distribution");
            json.WriteString("url", address);
            json.WriteEndObject();
            json.WriteEndArray();
        }

        if (properties.Length > 0)
        {
            json.WriteStartArray("properties");
            foreach ((string key, string value) in properties)
            {
                json.WriteStartObject();
                json.WriteString("name", key);
                json.WriteString("value", value);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
