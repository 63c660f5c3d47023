"""Made-up names of people who don't exist, for pages to look right. No name here was ever in the data."""

from __future__ import annotations

from typing import NamedTuple

from deploy.seed.chance import Chance

_GIVEN = """
Ada Aisha Alma Amara Amir Ana Andre Anika Arjun Asha Beatriz Ben Bilal Bo Caleb Camila Carlos Chloe Clara Cyrus Dalia Daniel
Dara Diego Dina Ebony Edith Elias Elif Emeka Emil Esme Esther Ezra Farah Fatou Felix Fiona Gabriel Gia Grace Hana Hassan
Hazel Hugo Ibrahim Ida Imani Ines Isaac Ivy Jada Jamal Jin Joao Jonah Josefa Jude Julia Kai Kamal Kayla Khalil Kira Lamar
Lars Layla Leo Lin Lucia Luis Maeve Malik Mara Marcus Mateo Maya Mei Milo Mina Nadia Naima Nia Nico Noor Nora Obi Olga Omar
Oscar Paloma Pedro Petra Priya Quinn Rafael Rania Ravi Rosa Ruben Ruth Sami Sana Saul Selma Simone Sofia Suri Tariq Tess Theo
Tomas Uma Valeria Victor Wei Willa Yara Yusuf Zara Zeke
"""

_FAMILY = """
Abara Acosta Adler Ahmed Alvarez Amadi Anders Arroyo Baker Banerjee Barros Beck Bello Bennett Blum Brandt Brooks Cabrera
Castro Chan Chavez Chen Clarke Cohen Cruz Dang Delgado Diallo Diaz Dixon Dubois Duran Ellis Estrada Fahey Farouk Fields
Flores Foster Fuentes Gallo Garcia Gomez Grant Greene Gupta Haddad Hall Hansen Hayes Herrera Hoang Holt Huang Hughes Ibarra
Islam Jackson Jensen Jimenez Johnson Kaplan Karim Keita Khan Kim Kowalski Lam Lange Lewis Li Lopez Lowe Malik Mbeki Medina
Mehta Mensah Miller Molina Moore Morales Murphy Navarro Ng Nguyen Novak Nunez Okafor Olsen Ortiz Osei Owens Park Patel Perez
Pham Pineda Porter Quiroz Rahman Ramos Reed Reyes Rivera Roberts Rojas Romero Rossi Salas Santos Sato Schultz Serrano Shah
Silva Singh Soto Stone Suarez Tanaka Torres Traore Tran Turner Vargas Vega Wagner Walker Wang Ward Webb Weiss Wong Wright
Yang Yilmaz Young Zamora Zhang
"""

_GIVEN_NAMES, _FAMILY_NAMES = _GIVEN.split(), _FAMILY.split()


class Name(NamedTuple):
    given: str
    family: str


def name_of(*parts: object) -> Name:
    """The name made up for whoever the parts identify; the same parts give the same name."""
    chance = Chance("names", *parts)
    return Name(chance.one_of(_GIVEN_NAMES), chance.one_of(_FAMILY_NAMES))
